"""What roll-ups say of memory is what its runs add up to, however they were told, corrected, sent again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from quotas.charge import charge_run
from quotas.close_month import close_month
from quotas.fold_peaks import fold_peaks
from quotas.rebuild_usage import compare_day
from quotas.runs import RunUsage
from quotas.tables import AccountingRecord, table_of
from quotas.usage_report import Dimension, usage_totals
from quotas.usage_tables import UsageDay
from schedulers.jobstate import JobState
from tests.integration.quotas.books import START, USER, Books
from tests.integration.quotas.test_usage import JOB, NIGHT, NOVEMBER, differences, rows_of, totals, usage

YEARS = (date(2026, 1, 1), date(2028, 1, 1))


def with_memory(key: str, started_at: datetime, seconds: int, mib: int, peak: int | None) -> RunUsage:
    """A run that had so much memory, and needed at most so much."""
    held = {"cpu": seconds, "mem": mib * seconds} if mib else {"cpu": seconds}
    return usage(key, started_at, seconds, tres_seconds=held, peak_mem_mib=peak)


def tell(books: Books, one: RunUsage) -> None:
    """As a cluster does for the first time, again, and with other facts."""
    with books.engine.begin() as conn:
        charge_run(conn, job_id=JOB, project_id=books.project_id, partition="main", run=one, at=books.at)


def used(books: Books, *by: Dimension) -> dict[tuple[object, ...], tuple[int, int, int]]:
    with books.engine.begin() as conn:
        found = usage_totals(conn, by=by, since=YEARS[0], until=YEARS[1])
    return {
        tuple(one.of.values()): (
            one.usage.mem_measured_runs,
            one.usage.mem_measured_mib_seconds,
            one.usage.mem_peak_mib_seconds,
        )
        for one in found
        if one.of.get(Dimension.PROJECT, books.project_id) == books.project_id
    }


def test_a_run_over_midnight_has_its_memory_in_both_days_and_counts_in_the_last(books: Books) -> None:
    books.grant(VND=10**6)
    tell(books, with_memory("a", NIGHT, 3 * 3600, mib=10, peak=4))
    assert used(books, Dimension.DAY) == {
        (date(2026, 11, 30),): (0, 36_000, 14_400),
        (date(2026, 12, 1),): (1, 72_000, 28_800),
    }


def test_a_peak_above_what_was_given_is_no_saving_elsewhere(books: Books) -> None:
    books.grant(VND=10**6)
    tell(books, with_memory("a", START, 100, mib=10, peak=40))
    tell(books, with_memory("b", START, 100, mib=0, peak=40))
    tell(books, with_memory("c", START, 100, mib=10, peak=None))
    assert used(books) == {(): (1, 1000, 1000)}


def test_a_correction_takes_the_first_peak_back(books: Books) -> None:
    books.grant(VND=10**6)
    tell(books, with_memory("a", START, 100, mib=10, peak=4))
    tell(books, with_memory("a", START, 200, mib=10, peak=5))
    assert used(books) == {(): (1, 2000, 1000)}


def test_a_peak_that_comes_late_with_the_same_charge_stands_in_no_record_and_no_sum(books: Books) -> None:
    books.grant(VND=10**6)
    tell(books, with_memory("a", START, 100, mib=10, peak=None))
    tell(books, with_memory("a", START, 100, mib=10, peak=5))
    assert used(books) == {(): (0, 0, 0)}
    assert differences(books, START.date()) == []


_TOLD = st.lists(
    st.builds(
        lambda number, hour, seconds, mib, peak, state: replace(
            with_memory(f"run-{number}", START + timedelta(hours=hour), seconds, mib, peak), state=state
        ),
        number=st.integers(0, 3),
        hour=st.integers(0, 60),
        seconds=st.integers(1, 200_000),
        mib=st.sampled_from([0, 1, 7, 4096]),
        peak=st.none() | st.sampled_from([1, 5, 3000, 10_000]),
        state=st.sampled_from([JobState.COMPLETED, JobState.NODE_FAIL, JobState.PREEMPTED]),
    ),
    min_size=1,
    max_size=10,
)


@given(_TOLD)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_sums_are_those_of_the_runs_as_they_were_told_last(
    books: Books, told: Sequence[RunUsage]
) -> None:
    fresh = Books.open(books.engine, account=f"p-{uuid4().hex}")
    fresh.grant(VND=10**9)
    newest: dict[str, RunUsage] = {}
    for facts in told:
        one = replace(facts, run_key=f"{fresh.project_id}/{facts.run_key}")
        before = newest.get(one.run_key)
        tell(fresh, one)
        same_charge = before is not None and replace(one, peak_mem_mib=before.peak_mem_mib) == before
        newest[one.run_key] = before if before is not None and same_charge else one
    of_memory = [one for one in newest.values() if one.peak_mem_mib is not None and "mem" in one.tres_seconds]
    mem = [one.tres_seconds["mem"] for one in of_memory]
    peaks = [min((one.peak_mem_mib or 0) * one.elapsed_seconds, one.tres_seconds["mem"]) for one in of_memory]
    assert used(fresh, Dimension.PROJECT) == {(fresh.project_id,): (len(of_memory), sum(mem), sum(peaks))}
    by_day = [
        found
        for (project, _), found in used(fresh, Dimension.PROJECT, Dimension.DAY).items()
        if project == fresh.project_id
    ]
    assert tuple(map(sum, zip(*by_day, strict=True))) == (len(of_memory), sum(mem), sum(peaks))
    days = {START.date() + timedelta(days=number) for number in range(7)}
    with fresh.engine.begin() as conn:
        assert [found for day in days for found in compare_day(conn, day)] == []


def test_peaks_of_old_records_are_added_once_also_in_closed_months_and_nothing_else_changes(
    books: Books,
) -> None:
    books.grant(VND=10**6)
    tell(books, with_memory("a", NIGHT, 3 * 3600, mib=10, peak=None))
    tell(books, with_memory("b", START, 100, mib=10, peak=None))
    tell(books, with_memory("b", START, 200, mib=10, peak=None))
    tell(books, with_memory("c", START, 100, mib=10, peak=7))
    with books.engine.begin() as conn:
        books.at = datetime(2026, 12, 5, tzinfo=NIGHT.tzinfo)
        close_month(conn, month=NOVEMBER, actor_id=USER, reason="", unsettled=0, at=books.at)
    [before] = totals(books)
    with books.engine.begin() as conn:
        assert fold_peaks(conn, {"a": 4, "b": 5, "c": 9, "unknown": 3}) == 2
    [after] = totals(books)
    assert used(books) == {(): (3, 108_000 + 2000 + 1000, 43_200 + 1000 + 700)}
    same = {
        "mem_measured_runs": before.usage.mem_measured_runs,
        "mem_measured_mib_seconds": before.usage.mem_measured_mib_seconds,
        "mem_peak_mib_seconds": before.usage.mem_peak_mib_seconds,
    }
    assert replace(after.usage, **same) == before.usage
    assert differences(books, START.date(), NIGHT.date(), date(2026, 12, 1)) == []
    rows = rows_of(books)
    with books.engine.begin() as conn:
        assert fold_peaks(conn, {"a": 4, "b": 5, "c": 9}) == 0
    assert rows_of(books) == rows


@pytest.mark.parametrize("model", [AccountingRecord, UsageDay])
def test_records_and_closed_months_are_protected_again_afterwards(books: Books, model: type) -> None:
    books.grant(VND=10**6)
    tell(books, with_memory("a", START, 100, mib=10, peak=None))
    with books.engine.begin() as conn:
        books.at = datetime(2026, 12, 5, tzinfo=NIGHT.tzinfo)
        close_month(conn, month=NOVEMBER, actor_id=USER, reason="", unsettled=0, at=books.at)
    with books.engine.begin() as conn:
        fold_peaks(conn, {"a": 4})
    with pytest.raises(IntegrityError, match=r"append-only|never changes"), books.engine.begin() as conn:
        conn.execute(table_of(model).update().values(elapsed_seconds=1))
