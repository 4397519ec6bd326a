"""Rolling holds: an array sets aside what runs at once, and goes on as long as there is budget."""

from uuid import UUID

import pytest
from sqlalchemy import Connection

from quotas.errors import BudgetExceeded
from quotas.hold import shortfall
from quotas.roll_hold import roll_hold, rolling_jobs
from quotas.tables import HoldPolicy
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, Books, run
from tests.integration.quotas.steward import Steward


@pytest.fixture
def steward(books: Books) -> Steward:
    return Steward(books)


@pytest.fixture
def allocation(books: Books, steward: Steward) -> UUID:
    """500 đồng, held piece by piece."""
    allocation = books.grant(VND=500)
    steward.hold_by(allocation, HoldPolicy.ROLLING)
    return allocation


@pytest.fixture
def job(books: Books, allocation: UUID) -> UUID:
    """Ten tasks of 100 đồng, two at once: more than there is, if all of them used all of it."""
    del allocation
    return books.hold(cpu=100, units=10, at_once=2).job_id


def roll(books: Books, job: UUID, units: int) -> int:
    with books.engine.begin() as conn:
        return roll_hold(conn, job_id=job, units=units, at=books.at)


def lacks(books: Books, job: UUID) -> dict[str, int]:
    def read(conn: Connection) -> dict[str, int]:
        return shortfall(conn, job)

    with books.engine.begin() as conn:
        return read(conn)


def test_only_what_runs_at_once_is_set_aside(books: Books, job: UUID) -> None:
    assert books.state() == (300, 200, 0)
    with books.engine.begin() as conn:
        assert rolling_jobs(conn, [job]) == {job}
    assert lacks(books, job) == {}
    assert books.discrepancies == []


def test_a_strict_allocation_sets_all_of_it_aside(books: Books) -> None:
    books.grant(VND=500)
    with books.unchanged(), pytest.raises(BudgetExceeded):
        books.hold(cpu=100, units=10, at_once=2)
    job = books.hold(cpu=100, units=5, at_once=2).job_id
    assert books.state() == (0, 500, 0)
    with books.engine.begin() as conn:
        assert rolling_jobs(conn, [job]) == set()


def test_an_array_without_a_throttle_is_held_in_full(books: Books, allocation: UUID) -> None:
    del allocation
    with books.unchanged(), pytest.raises(BudgetExceeded):
        books.hold(cpu=100, units=10)


def test_the_same_submission_again_returns_what_was_held(books: Books, job: UUID) -> None:
    with books.unchanged():
        again = books.hold(job, cpu=100, units=10, at_once=2)
    assert (again.by_asset, again.vnd_total) == ({"VND": 200}, 1000)


def test_a_task_that_ends_makes_room_for_the_next(books: Books, job: UUID) -> None:
    books.settle(job, run("a", seconds=60))
    assert books.state() == (240, 200, 60)
    for name in ("b", "c", "d", "e", "f", "g", "h"):
        books.settle(job, run(name, seconds=10))
    assert books.state() == (170, 200, 130)
    books.settle(job, run("i", seconds=10))
    assert books.state() == (260, 100, 140)
    books.settle(job, run("j", seconds=10))
    assert books.state() == (350, 0, 150)
    assert books.discrepancies == []


def test_when_the_budget_ends_only_what_runs_is_held(books: Books, job: UUID) -> None:
    for name in ("a", "b", "c"):
        books.settle(job, run(name, seconds=100))
    assert books.state() == (0, 200, 300)
    books.settle(job, run("d", seconds=80))
    assert books.state() == (20, 100, 380)
    assert lacks(books, job) == {"VND": 100}
    assert roll(books, job, 2) == 1
    books.settle(job, run("e", seconds=90))
    assert books.state() == (30, 0, 470)
    assert roll(books, job, 1) == 0
    assert books.discrepancies == []


def test_more_that_runs_at_once_is_held_as_far_as_the_budget_goes(books: Books, job: UUID) -> None:
    assert roll(books, job, 4) == 4
    assert books.state() == (100, 400, 0)
    with books.unchanged():
        assert roll(books, job, 4) == 4
        assert roll(books, job, 1) == 1
    assert roll(books, job, 9) == 5
    books.settle(job, run("a", seconds=60))
    assert books.state() == (40, 400, 60)
    books.settle(job, run("b", seconds=60), run("c", seconds=60))
    assert books.state() == (120, 200, 180)
    assert books.discrepancies == []


def test_a_requeued_task_is_set_aside_anew(books: Books, job: UUID) -> None:
    books.settle(job, run("a:0", seconds=40, closes_unit=False))
    assert books.state() == (260, 200, 40)
    books.hold(cpu=260)
    books.settle(job, run("a:1", seconds=40, closes_unit=False))
    assert books.state() == (0, 420, 80)
    assert roll(books, job, 2) == 1
    books.settle(job, run("a:2", seconds=0, state=JobState.NODE_FAIL))
    assert books.discrepancies == []


def test_tasks_that_never_start_release_only_what_they_held(books: Books, job: UUID) -> None:
    books.release(job, 7)
    assert books.state() == (300, 200, 0)
    books.release(job, 2)
    assert books.state() == (400, 100, 0)
    books.close(job)
    assert books.state() == (500, 0, 0)
    assert books.discrepancies == []


def test_a_longer_walltime_enlarges_what_is_set_aside(books: Books, job: UUID) -> None:
    assert books.top_up(job, cpu=150) == {"VND": 100}
    assert books.trim(job, cpu=50) == {"VND": 200}
    assert books.state() == (400, 100, 0)
    assert books.discrepancies == []


def test_an_ended_allocation_finishes_what_runs_and_starts_nothing(
    books: Books, steward: Steward, job: UUID, allocation: UUID
) -> None:
    steward.expire(END)
    books.at = END
    books.settle(job, run("a", seconds=60))
    assert steward.of(allocation) == (40, 100, 60, 300)
    assert roll(books, job, 2) == 1
    steward.expire(END)
    books.settle(job, run("b", seconds=100))
    assert steward.of(allocation) == (0, 0, 160, 340)
    assert books.discrepancies == []
