from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpc_portal.app.reports.forecast import LEAST_HISTORY_DAYS, forecast, most_needed, ways_to_spend

TODAY = date(2026, 11, 26)  # a Thursday


def days_back(count: int) -> list[date]:
    return [TODAY - timedelta(days=number) for number in range(1, count + 1)]


def test_an_even_pace_ends_on_the_day_that_a_division_gives() -> None:
    used = dict.fromkeys(days_back(56), 10)
    found = forecast(used, left=95, today=TODAY)
    assert found is not None
    # 9 days take 90; the tenth, 6 December, needs 10 and finds 5.
    assert found.exhausted_on == found.earliest_on == found.latest_on == date(2026, 12, 6)
    assert found.daily == 10


def test_a_budget_that_just_suffices_is_not_exhausted_before_the_next_day() -> None:
    used = dict.fromkeys(days_back(56), 10)
    found = forecast(used, left=100, today=TODAY)
    assert found is not None
    assert found.exhausted_on == TODAY + timedelta(days=11)


def test_a_weekend_without_work_stays_one() -> None:
    used = {day: 10 for day in days_back(56) if day.weekday() < 5}
    found = forecast(used, left=35, today=TODAY)
    assert found is not None
    # Friday 10, Monday 10, Tuesday 10, Wednesday needs 10 and finds 5.
    assert found.exhausted_on == date(2026, 12, 2)


def test_a_budget_that_outlasts_its_period_says_what_will_be_left() -> None:
    used = dict.fromkeys(days_back(56), 10)
    found = forecast(used, left=1000, today=TODAY, last_day=TODAY + timedelta(days=30))
    assert found is not None
    assert found.exhausted_on is None
    assert (found.unused.low, found.unused.middle, found.unused.high) == (700, 700, 700)
    assert found.until == TODAY + timedelta(days=30)


def test_bursts_make_the_range_wide() -> None:
    used = {day: 700 if number % 8 == 0 else 0 for number, day in enumerate(days_back(56))}
    found = forecast(used, left=2000, today=TODAY)
    assert found is not None
    assert found.earliest_on is not None
    assert found.exhausted_on is not None
    assert found.latest_on is not None
    assert found.earliest_on < found.exhausted_on < found.latest_on


def test_two_weeks_are_the_least_that_says_anything() -> None:
    assert forecast(dict.fromkeys(days_back(LEAST_HISTORY_DAYS - 1), 10), left=95, today=TODAY) is None
    assert forecast(dict.fromkeys(days_back(LEAST_HISTORY_DAYS), 10), left=95, today=TODAY) is not None
    assert forecast({}, left=95, today=TODAY) is None


def test_today_is_not_over_and_counts_as_no_history() -> None:
    used = {**dict.fromkeys(days_back(56), 10), TODAY: 1_000_000}
    found = forecast(used, left=95, today=TODAY)
    assert found is not None
    assert found.daily == 10


def test_a_budget_of_the_past_ends_where_it_ended() -> None:
    used = dict.fromkeys(days_back(56), 10)
    found = forecast(used, left=95, today=TODAY, last_day=TODAY - timedelta(days=3))
    assert found is not None
    assert found.exhausted_on is None
    assert found.unused.middle == 95


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(-5, 10**15), min_size=20, max_size=60),
    st.integers(-100, 10**17),
    st.one_of(st.none(), st.integers(-5, 500)),
)
def test_whatever_was_used_the_range_is_in_order_and_the_same_every_time(
    amounts: list[int], left: int, days: int | None
) -> None:
    used = dict(zip(days_back(len(amounts)), amounts, strict=True))
    last_day = None if days is None else TODAY + timedelta(days=days)
    found = forecast(used, left=left, today=TODAY, last_day=last_day)
    assert found == forecast(used, left=left, today=TODAY, last_day=last_day)
    if found is None:
        return
    never = date.max
    ends = [found.earliest_on or never, found.exhausted_on or never, found.latest_on or never]
    assert ends == sorted(ends)
    assert 0 <= found.unused.low <= found.unused.middle <= found.unused.high <= max(left, 0)


@pytest.mark.parametrize("more", [0, 50, 500])
def test_more_budget_never_ends_earlier(more: int) -> None:
    used = {day: 7 + day.day % 5 for day in days_back(56)}
    less = forecast(used, left=100, today=TODAY)
    plenty = forecast(used, left=100 + more, today=TODAY)
    assert less is not None
    assert plenty is not None
    assert (less.exhausted_on or date.max) <= (plenty.exhausted_on or date.max)


def test_a_grant_that_nobody_uses_is_known_to_be_unused() -> None:
    since = TODAY - timedelta(days=30)
    found = forecast({}, left=95, today=TODAY, last_day=TODAY + timedelta(days=60), known_since=since)
    assert found is not None
    assert (found.daily, found.exhausted_on, found.unused.low) == (0, None, 95)


def test_days_without_use_since_a_grant_began_count_as_such() -> None:
    used = dict.fromkeys(days_back(28), 10)
    found = forecast(used, left=95, today=TODAY, known_since=TODAY - timedelta(days=56))
    assert found is not None
    assert found.daily == 5


@given(
    st.lists(st.integers(0, 1000), max_size=56),
    st.integers(-100, 100_000),
    st.one_of(st.none(), st.integers(-5, 400)),
    st.one_of(st.none(), st.integers(0, 60)),
)
@settings(max_examples=25)
def test_what_is_needed_at_most_is_what_the_forecast_does_not_leave(
    amounts: list[int], left: int, lasts: int | None, known: int | None
) -> None:
    used = dict(zip(days_back(len(amounts)), amounts, strict=True))
    last_day = None if lasts is None else TODAY + timedelta(days=lasts)
    since = None if known is None else TODAY - timedelta(days=known)
    facts: dict[str, Any] = {"today": TODAY, "last_day": last_day, "known_since": since, "futures": 30}
    found, ways = forecast(used, left=left, **facts), ways_to_spend(used, **facts)
    assert (found is None) == (ways is None)
    assert found is None or most_needed(ways or (), left) == left - found.unused.low
