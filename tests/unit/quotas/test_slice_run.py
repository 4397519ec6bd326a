"""A run is cut at the city's midnights, and its parts always sum to it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quotas.slice_run import RecordedRun, Slice, city_day, slice_run

NOON = datetime(2026, 11, 5, 5, tzinfo=UTC)
"""12:00 in Da Nang."""
RUN = RecordedRun(
    project_id=UUID(int=1),
    allocation_id=UUID(int=2),
    user_id=UUID(int=3),
    cluster="dask",
    partition="gpu",
    workload="",
    state="COMPLETED",
    started_at=NOON,
    ended_at=NOON + timedelta(hours=36),
    elapsed_seconds=36 * 3600,
    tres_seconds={"cpu": 4 * 36 * 3600, "gres/gpu": 36 * 3600},
    is_charged=True,
    vnd=1001,
    subsidy_vnd=0,
    used_cpu_seconds=None,
    gpu_busy_seconds=None,
    peak_mem_mib=None,
    waited_seconds=None,
)

instants = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - the zone is given beside it
    max_value=datetime(2035, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
)
amounts = st.integers(min_value=0, max_value=10**15)


@st.composite
def runs(draw: st.DrawFn) -> RecordedRun:
    started_at = draw(st.none() | instants)
    span = timedelta(microseconds=draw(st.integers(min_value=0, max_value=40 * 86_400 * 10**6)))
    return replace(
        RUN,
        started_at=started_at,
        ended_at=(started_at or draw(instants)) + span,
        elapsed_seconds=draw(st.integers(min_value=0, max_value=40 * 86_400)),
        tres_seconds=draw(
            st.dictionaries(st.sampled_from(["cpu", "mem", "gres/gpu", "license/vcs"]), amounts)
        ),
        vnd=draw(amounts),
        subsidy_vnd=draw(amounts),
        used_cpu_seconds=draw(st.none() | amounts),
        gpu_busy_seconds=draw(st.none() | amounts),
        peak_mem_mib=draw(st.none() | amounts),
    )


def test_a_run_of_three_days_is_cut_at_local_midnights() -> None:
    first, second, third = slice_run(
        replace(RUN, ended_at=NOON + timedelta(hours=48), elapsed_seconds=48 * 3600)
    )
    assert [part.day for part in (first, second, third)] == [date(2026, 11, day) for day in (5, 6, 7)]
    assert [part.elapsed_seconds for part in (first, second, third)] == [12 * 3600, 24 * 3600, 12 * 3600]
    assert [part.is_last for part in (first, second, third)] == [False, False, True]


def test_each_slice_has_the_count_of_a_resource_times_its_seconds() -> None:
    assert [part.tres_seconds["cpu"] for part in slice_run(RUN)] == [4 * 12 * 3600, 4 * 24 * 3600]


def test_an_odd_dong_goes_to_one_of_the_slices() -> None:
    assert [part.vnd for part in slice_run(RUN)] == [334, 667]


def test_a_run_that_ends_at_midnight_has_nothing_in_the_next_day() -> None:
    [part] = slice_run(replace(RUN, ended_at=NOON + timedelta(hours=12), elapsed_seconds=12 * 3600))
    assert part.day == date(2026, 11, 5)
    assert part.is_last


def test_a_run_that_never_started_counts_on_the_day_it_ended() -> None:
    [part] = slice_run(replace(RUN, started_at=None, elapsed_seconds=0, tres_seconds={}))
    assert (part.day, part.is_last) == (date(2026, 11, 7), True)


def test_a_late_evening_in_utc_is_the_next_day_in_da_nang() -> None:
    assert city_day(datetime(2026, 11, 30, 17, tzinfo=UTC)) == date(2026, 12, 1)


def test_gpu_types_are_told_apart_and_joined() -> None:
    assert replace(RUN, tres_seconds={"cpu": 5}).gpu_type == ""
    assert replace(RUN, tres_seconds={"gres/gpu": 5}).gpu_type == "untyped"
    assert replace(RUN, tres_seconds={"gres/gpu": 5, "gres/gpu:h100": 5}).gpu_type == "h100"
    both = {"gres/gpu": 5, "gres/gpu:h100": 2, "gres/gpu:a100": 3}
    assert replace(RUN, tres_seconds=both).gpu_type == "a100+h100"


@given(runs())
def test_slices_sum_to_the_run_exactly(run: RecordedRun) -> None:
    parts = slice_run(run)

    def total(name: str) -> int:
        return sum(getattr(part, name) for part in parts)

    assert total("elapsed_seconds") == run.elapsed_seconds
    assert total("subsidy_vnd") == run.subsidy_vnd
    assert total("vnd") == run.vnd
    assert total("used_cpu_seconds") == (run.used_cpu_seconds or 0)
    assert total("gpu_busy_seconds") == (run.gpu_busy_seconds or 0)
    assert total("mem_peak_mib_seconds") == run.peak_mem_mib_seconds
    assert 0 <= run.peak_mem_mib_seconds <= run.tres_seconds.get("mem", 0)
    assert _summed(parts) == {name: amount for name, amount in run.tres_seconds.items() if amount}
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]


@given(runs())
def test_no_slice_is_negative_and_days_follow_each_other(run: RecordedRun) -> None:
    parts = slice_run(run)
    for part in parts:
        assert min(part.elapsed_seconds, part.subsidy_vnd, part.vnd, *part.tres_seconds.values(), 0) == 0
    assert all(b.day - a.day == timedelta(days=1) for a, b in pairwise(parts))
    assert parts[-1].day <= city_day(run.ended_at)


def _summed(parts: list[Slice]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, amount in part.tres_seconds.items():
            total[name] = total.get(name, 0) + amount
    return {name: amount for name, amount in total.items() if amount}
