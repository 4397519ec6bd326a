"""Instants come in one form, with their offset, and within reach of the calendar."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from schedulers.instant import Instant

INSTANTS = TypeAdapter(Instant | None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-31T17:00:00+07:00",
        "2026-12-31T10:00:00Z",
        "2026-12-31t10:00:00z",
        "2026-12-31T10:00:00.000000Z",
        "2026-12-31T04:30:00-05:30",
    ],
)
def test_every_spelling_of_rfc_3339_is_the_same_instant(text: str) -> None:
    assert INSTANTS.validate_python(text) == datetime(2026, 12, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        0,
        1.5,
        True,
        "0",
        "1735689600",
        "2026-12-31",
        "20261231T100000Z",
        "2026-12-31 10:00:00Z",
        "",
        " ",
        [],
        "2026-12-31T10:00Z",
        "٢٠٢٦-12-31T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-12-31T24:00:00Z",
        "2026-12-31T10:00:00+99:00",
        "2026-12-31T17:00:00 07:00",
        "now",
        "P1D",
    ],
)
def test_another_form_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        INSTANTS.validate_python(value)


def test_a_time_without_its_zone_is_refused_as_such() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        INSTANTS.validate_python("2026-12-31T10:00:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59Z"])
def test_no_year_before_the_calendars_reach(text: str) -> None:
    with pytest.raises(ValidationError, match="1900-01-01"):
        INSTANTS.validate_python(text)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "9000-01-01T00:00:00Z"])
def test_no_year_after_the_calendars_reach(text: str) -> None:
    with pytest.raises(ValidationError, match="9000-01-01"):
        INSTANTS.validate_python(text)


def test_it_is_described_as_a_date_time() -> None:
    assert TypeAdapter(Instant).json_schema() == {"type": "string", "format": "date-time"}
