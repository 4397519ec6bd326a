"""Which ends are paid for is a site's decision: charged, free, or charged and given back up to a cap."""

from uuid import UUID

import pytest

from quotas.charge import correct_run
from quotas.end_states import list_end_rules, load_end_rules, set_end_rule
from quotas.errors import InvalidAmount
from quotas.give_back_lost_time import give_back_lost_time
from quotas.settle import RunUsage, settle_runs
from schedulers.jobstate import JobState
from tests.integration.quotas.books import USER, Books, run


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
    with books.engine.begin() as conn:
        rules = load_end_rules(conn)
        settle_runs(conn, job_id=job, runs=runs, at=books.at, policy=rules.policy)
        return give_back_lost_time(conn, job_id=job, runs=runs, rules=rules, at=books.at)


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
    for _ in range(2):
        with books.engine.begin() as conn:
            rules, told = load_end_rules(conn), lost("a", 90)
            correct_run(conn, job_id=job, run=told, at=books.at, policy=rules.policy)
            give_back_lost_time(conn, job_id=job, runs=[told], rules=rules, at=books.at)
        assert books.state()[2] == 0
    assert settle(books, job, lost("b", 80)) == 10
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
