"""Which ends are paid for is a site's decision: charged, free, or charged and given back up to a cap."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from quotas.charge import correct_run
from quotas.end_states import list_end_rules, load_end_rules, set_end_rule
from quotas.errors import InvalidAmount
from quotas.money import VND
from quotas.refunded import refunded
from quotas.settle import RunUsage, settle_runs
from schedulers.jobstate import JobState
from tests.integration.quotas.books import START, USER, Books, run
from tests.integration.quotas.steward import Steward


def decide(books: Books, state: JobState, *, is_charged: bool, free_seconds: int | None = None) -> None:
    with books.engine.begin() as conn:
        set_end_rule(
            conn,
            state=state,
            is_charged=is_charged,
            free_seconds_per_job=free_seconds,
            set_by=USER,
            reason="a test",
            at=books.at,
        )


def settle(books: Books, job: UUID, *runs: RunUsage) -> int:
    """What came back, in đồng."""
    with books.engine.begin() as conn:
        before = refunded(conn, job)
        settle_runs(conn, job_id=job, runs=runs, at=books.at, rules=load_end_rules(conn))
        return sum(amount for (_, asset), amount in refunded(conn, job).items() if asset == VND) - sum(
            amount for (_, asset), amount in before.items() if asset == VND
        )


def correct(books: Books, job: UUID, told: RunUsage) -> None:
    """Twice, as whoever lost the answer does."""
    for _ in range(2):
        with books.engine.begin() as conn:
            correct_run(conn, job_id=job, run=told, at=books.at, rules=load_end_rules(conn))


@pytest.fixture
def job(books: Books) -> UUID:
    books.grant(VND=1000, cpu=1000)
    return books.hold(cpu=100, units=5).job_id


def lost(name: str, seconds: int) -> RunUsage:
    return run(name, seconds=seconds, state=JobState.NODE_FAIL)


def test_by_default_what_our_machines_broke_is_free(books: Books, job: UUID) -> None:
    assert settle(books, job, lost("a", 80), run("b", seconds=50)) == 0
    assert books.state()[2] == 50
    with books.engine.begin() as conn:
        assert {rule.state for rule in list_end_rules(conn) if not rule.is_charged} == {
            JobState.NODE_FAIL,
            JobState.BOOT_FAIL,
        }


def test_up_to_a_cap_for_each_job_it_is_given_back(books: Books, job: UUID) -> None:
    decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=100)
    assert settle(books, job, lost("a", 80), lost("b", 80)) == 100
    assert books.state()[2] == 60
    assert books.state("cpu")[2] == 60
    assert settle(books, job, lost("a", 80), lost("c", 70)) == 0
    assert books.state()[2] == 130
    assert books.discrepancies == []


def test_it_is_given_back_as_well_when_only_a_correction_tells_of_it(books: Books, job: UUID) -> None:
    decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=100)
    settle(books, job, run("a", seconds=80))
    correct(books, job, lost("a", 90))
    assert books.state()[2] == 0
    assert settle(books, job, lost("b", 80)) == 10
    assert books.discrepancies == []


def test_it_is_taken_back_again_when_the_run_ended_otherwise_after_all(books: Books, job: UUID) -> None:
    decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=100)
    settle(books, job, lost("a", 80), lost("b", 80))
    assert books.state()[2] == 60
    correct(books, job, run("a", seconds=70))
    assert (books.state()[2], books.state("cpu")[2]) == (70, 70)  # and all of b is free now
    correct(books, job, lost("a", 90))
    assert (books.state()[2], books.state("cpu")[2]) == (70, 70)
    correct(books, job, lost("a", 40))
    assert (books.state()[2], books.state("cpu")[2]) == (20, 20)
    assert books.discrepancies == []


def test_whatever_the_order_of_records_the_same_is_given_back(books: Books) -> None:
    books.grant(VND=10_000, cpu=10_000)
    decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=100)
    early, late = lost("early", 80), replace(lost("late", 80), tres_seconds={"cpu": 320})
    late = replace(late, started_at=START + timedelta(hours=1))
    given = []
    for order in ((early, late), (late, early)):
        job = books.hold(cpu=100, units=2).job_id
        given.append(sum(settle(books, job, replace(one, run_key=f"{job}:{one.run_key}")) for one in order))
    assert given == [80 + 80, 80 + 80]
    assert books.discrepancies == []


def test_what_was_refunded_by_hand_is_not_given_back_once_more(books: Books, job: UUID) -> None:
    decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=100)
    settle(books, job, run("a", seconds=50))
    Steward(books).refund(job, 80)
    correct(books, job, lost("a", 60))
    assert books.state()[2] == 0
    correct(books, job, run("a", seconds=60))
    assert books.state()[2] == 20
    correct(books, job, run("a", seconds=30))
    assert books.state()[2] == 0
    assert books.discrepancies == []


def test_a_rule_that_changed_does_not_reach_back_through_a_correction(books: Books, job: UUID) -> None:
    decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=100)
    settle(books, job, lost("a", 80), run("b", seconds=10))
    decide(books, JobState.NODE_FAIL, is_charged=True)
    correct(books, job, lost("a", 90))
    correct(books, job, run("b", seconds=5))
    assert books.state()[2] == 5
    correct(books, job, lost("b", 5))
    assert books.state()[2] == 5
    assert books.discrepancies == []


def test_a_site_may_charge_it_or_let_others_be_free(books: Books, job: UUID) -> None:
    decide(books, JobState.NODE_FAIL, is_charged=True)
    decide(books, JobState.PREEMPTED, is_charged=True)
    decide(books, JobState.PREEMPTED, is_charged=False)
    settle(books, job, lost("a", 80), run("b", seconds=90, state=JobState.PREEMPTED))
    assert books.state()[2] == 80
    assert books.discrepancies == []


def test_rules_that_make_no_sense_change_nothing(books: Books) -> None:
    with books.unchanged():
        with pytest.raises(InvalidAmount):
            decide(books, JobState.RUNNING, is_charged=True)
        with pytest.raises(InvalidAmount):
            decide(books, JobState.NODE_FAIL, is_charged=False, free_seconds=5)
        with pytest.raises(InvalidAmount):
            decide(books, JobState.NODE_FAIL, is_charged=True, free_seconds=-5)
