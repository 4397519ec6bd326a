"""Days, and yes or no, come in the form that the API describes and in no other."""

from datetime import date

import pytest
from pydantic import TypeAdapter, ValidationError

from hpc_portal.api.one_form import Day, Flag


def test_a_day_is_a_day() -> None:
    assert TypeAdapter(Day).validate_python("2026-12-31") == date(2026, 12, 31)


@pytest.mark.parametrize(
    "value", ["0", 0, True, "2026-12-31T00:00:00", "20261231", "2026-02-30", "", "0001-01-01", "9999-12-31"]
)
def test_no_other_form_of_a_day(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_python(value)


@pytest.mark.parametrize(("value", "wanted"), [("true", True), ("false", False), (True, True)])
def test_yes_and_no(value: object, *, wanted: bool) -> None:
    assert TypeAdapter(Flag).validate_python(value) is wanted


@pytest.mark.parametrize("value", ["1", "on", "y", "True", "", 1, 0, 1.0, []])
def test_no_other_form_of_yes_and_no(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Flag).validate_python(value)


def test_they_are_described_as_what_they_are() -> None:
    assert TypeAdapter(Day).json_schema() == {"type": "string", "format": "date"}
    assert TypeAdapter(Flag).json_schema() == {"type": "boolean"}
