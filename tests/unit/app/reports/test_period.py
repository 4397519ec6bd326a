from datetime import UTC, date, datetime

import pytest

from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.reports.period import Period, local_day, months_before, parse_day, parse_month, period

NOW = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""01:00 of the 26th in Da Nang."""


def test_by_default_it_is_this_month_and_the_two_before_it() -> None:
    assert period(None, None, now=NOW) == Period(date(2026, 9, 1), date(2026, 11, 30))
    january = datetime(2027, 1, 10, tzinfo=UTC)
    assert period(None, None, now=january) == Period(date(2026, 11, 1), date(2027, 1, 31))


def test_both_ends_are_included() -> None:
    found = Period(date(2026, 11, 26), date(2026, 11, 26))
    assert (found.days, found.until) == (1, date(2026, 11, 27))


def test_the_day_is_the_citys() -> None:
    assert local_day(NOW) == date(2026, 11, 26)


@pytest.mark.parametrize(
    ("since", "last"),
    [
        (date(2026, 11, 2), date(2026, 11, 1)),
        (date(2020, 1, 1), date(2026, 1, 1)),
        (None, date.max),
        (date.min, None),
    ],
)
def test_an_impossible_period_is_refused(since: date | None, last: date | None) -> None:
    with pytest.raises(InvalidEntry):
        period(since, last, now=NOW)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-11-01", "x-y", "9999-12", "0001-01"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidEntry):
        parse_month(text)


def test_months_and_days_are_read() -> None:
    assert parse_month("2026-11") == date(2026, 11, 1)
    assert parse_day("2026-11-26", "since") == date(2026, 11, 26)
    assert parse_day("", "since") is None
    with pytest.raises(InvalidEntry):
        parse_day("26/11/2026", "since")


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, date(2026, 11, 1)), (10, date(2026, 1, 1)), (11, date(2025, 12, 1)), (-2, date(2027, 1, 1))],
)
def test_months_are_counted_over_the_turn_of_the_year(count: int, expected: date) -> None:
    assert months_before(date(2026, 11, 26), count) == expected
