"""Days of year 1 and 9999 and numbers without end are refused in words; found by `test_hostile_pages.py`."""

import pytest
from starlette.datastructures import FormData

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.reports.period import parse_day
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.web.price_form import basis_points_of, instant_of
from hpc_portal.web.request_form import RequestForm, read_last_day, wanted_by

FAR_DAYS = ("0001-01-01", "9999-12-31")


@pytest.mark.parametrize("day", FAR_DAYS)
def test_no_list_of_the_audit_log_is_asked_for_such_a_day(day: str) -> None:
    with pytest.raises(InvalidEntry, match="between the years"):
        parse_day(day, "last")


@pytest.mark.parametrize("day", FAR_DAYS)
def test_no_request_begins_or_ends_on_such_a_day(day: str) -> None:
    for first, last in ((day, ""), ("", day)):
        with pytest.raises(InvalidEntry, match="Enter a day"):
            wanted_by(RequestForm(kind=RequestKind.NEW, from_day=first, last_day=last))
    problems: list[Problem] = []
    assert read_last_day(day, problems) is None
    assert len(problems) == 1


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00:00+14:00"])
def test_nothing_begins_at_such_an_instant(text: str) -> None:
    with pytest.raises(InvalidEntry, match="Enter a date and a time"):
        instant_of(FormData({"starts_at": text}), "starts_at")


@pytest.mark.parametrize("text", ["1e400", "-1e400", "Infinity", "NaN", "sNaN", "12,555", "²", ""])
def test_no_subsidy_is_such_a_percentage(text: str) -> None:
    with pytest.raises(InvalidEntry, match="Enter a percentage"):
        basis_points_of(FormData({"percent": text}), "percent")


@pytest.mark.parametrize(("text", "points"), [("12,5", 1250), ("100 %", 10_000), ("0.01", 1)])
def test_percentages_are_read_as_people_write_them(text: str, points: int) -> None:
    assert basis_points_of(FormData({"percent": text}), "percent") == points
