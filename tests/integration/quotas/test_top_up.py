"""Top-ups: a hold that must grow takes only what is there, and says what is missing."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from quotas.errors import BudgetExceeded, HoldNotFound, InvalidAmount, UnpricedResource
from quotas.tables import AllocationState, Transfer, table_of
from tests.integration.quotas.books import END, Books, run


@pytest.fixture
def job_id(books: Books) -> UUID:
    """A job that holds 100 đồng for each of three tasks, of 1,000 granted."""
    books.grant(VND=1000)
    return books.hold(cpu=100, units=3).job_id


def test_a_longer_walltime_holds_more_for_each_open_task(books: Books, job_id: UUID) -> None:
    assert books.top_up(job_id, cpu=150) == {"VND": 150}
    assert books.state() == (550, 450, 0)
    assert books.discrepancies == []


def test_a_task_that_ended_needs_no_more(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", seconds=60))
    assert books.top_up(job_id, cpu=150) == {"VND": 100}
    assert books.state() == (640, 300, 60)
    assert books.discrepancies == []


def test_a_second_top_up_to_the_same_size_takes_nothing(books: Books, job_id: UUID) -> None:
    books.top_up(job_id, cpu=150)
    with books.unchanged():
        assert books.top_up(job_id, cpu=150) == {}


def test_a_shorter_walltime_keeps_what_is_held(books: Books, job_id: UUID) -> None:
    with books.unchanged():
        assert books.top_up(job_id, cpu=50) == {}


def test_every_line_of_the_allocation_grows(books: Books) -> None:
    books.grant(VND=1000, cpu=500, mem=10**6)
    job_id = books.hold(unit={"cpu": 100, "mem": 2048}).job_id
    assert books.top_up(job_id, cpu=200, mem=4096) == {"VND": 100, "cpu": 100, "mem": 2048}
    assert books.state("cpu") == (300, 200, 0)
    assert books.state("mem") == (10**6 - 4096, 4096, 0)
    assert books.discrepancies == []


def test_a_top_up_that_does_not_fit_says_what_is_left_and_changes_nothing(books: Books, job_id: UUID) -> None:
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.top_up(job_id, cpu=334)
    assert (refused.value.asset, refused.value.available, refused.value.needed) == ("VND", 700, 702)
    assert refused.value.project == "vlsi-lab"
    books.top_up(job_id, cpu=333)
    assert books.state() == (1, 999, 0)


def test_when_the_second_line_is_short_the_first_is_untouched(books: Books) -> None:
    books.grant(VND=1000, cpu=150)
    job_id = books.hold(cpu=100).job_id
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.top_up(job_id, cpu=160)
    assert (refused.value.asset, refused.value.available, refused.value.needed) == ("cpu", 50, 60)


def test_what_a_requeued_run_used_is_set_aside_as_soon_as_there_is_budget(books: Books, job_id: UUID) -> None:
    other = books.hold(cpu=690).job_id
    books.settle(job_id, run("a:0", seconds=60, closes_unit=False))
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.top_up(job_id)
    assert (refused.value.available, refused.value.needed) == (10, 60)
    books.close(other)
    assert books.top_up(job_id) == {"VND": 60}
    assert books.state() == (640, 300, 60)
    assert books.discrepancies == []


def test_another_allocation_tops_nothing_up(books: Books, job_id: UUID) -> None:
    books.grant(VND=10_000)
    with books.unchanged(), pytest.raises(BudgetExceeded):
        books.top_up(job_id, cpu=334)


def test_top_ups_follow_each_other(books: Books, job_id: UUID) -> None:
    for attempt in range(3):
        books.top_up(job_id, cpu=110 + attempt)
        books.settle(job_id, run(f"a:{attempt}", seconds=10, closes_unit=False))
    assert books.state() == (1000 - 336 - 30, 336, 30)
    with books.engine.begin() as conn:
        kinds = conn.execute(table_of(Transfer).select().where(table_of(Transfer).c.job_id == job_id)).all()
    keys = [transfer.idempotency_key for transfer in kinds if transfer.kind == "hold"]
    assert keys == [f"hold:{job_id}", *(f"top-up:{job_id}:{number}" for number in (1, 2, 3))]
    assert books.discrepancies == []


def test_a_raised_unit_is_released_like_any_other(books: Books, job_id: UUID) -> None:
    books.top_up(job_id, cpu=200)
    books.release(job_id, 1)
    assert books.state() == (600, 400, 0)
    books.settle(job_id, run("a", seconds=150))
    assert books.state() == (650, 200, 150)
    books.close(job_id)
    assert books.state() == (850, 0, 150)
    assert books.discrepancies == []


def test_a_closed_hold_stays_closed(books: Books, job_id: UUID) -> None:
    books.close(job_id)
    with books.unchanged():
        assert books.top_up(job_id, cpu=200) == {}


def test_a_top_up_is_priced_as_the_job_was(books: Books, job_id: UUID) -> None:
    books.publish_twice_as_dear()
    assert books.top_up(job_id, cpu=150) == {"VND": 150}


@pytest.mark.parametrize("state", [s for s in AllocationState if s is not AllocationState.ACTIVE])
def test_an_allocation_that_is_not_active_tops_nothing_up(books: Books, state: AllocationState) -> None:
    allocation_id = books.grant(VND=1000)
    job_id = books.hold(cpu=100).job_id
    books.set_allocation_state(allocation_id, state)
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.top_up(job_id, cpu=150)
    assert refused.value.available == 0


def test_an_allocation_whose_period_ended_tops_nothing_up(books: Books, job_id: UUID) -> None:
    books.at = END - timedelta(microseconds=1)
    books.top_up(job_id, cpu=110)
    books.at = END
    with pytest.raises(BudgetExceeded):
        books.top_up(job_id, cpu=120)


def test_an_overdraft_counts(books: Books) -> None:
    books.grant(VND=100, overdraft={"VND": 50})
    job_id = books.hold(cpu=100).job_id
    assert books.top_up(job_id, cpu=150) == {"VND": 50}
    with books.unchanged(), pytest.raises(BudgetExceeded):
        books.top_up(job_id, cpu=151)
    assert books.discrepancies == []


def test_a_top_up_that_makes_no_sense_changes_nothing(books: Books, job_id: UUID) -> None:
    nonsense: list[dict[str, Any]] = [{"cpu": -1}, {"cpu": 1.5}, {"gpus": 1}, {"VND": 900}, {"cpu": 10**18}]
    with books.unchanged():
        for unit in nonsense:
            with pytest.raises(InvalidAmount):
                books.top_up(job_id, **unit)
        with pytest.raises(BudgetExceeded):
            books.top_up(job_id, cpu=10**17)
        with pytest.raises(UnpricedResource):
            books.top_up(job_id, **{"license/hspice": 1})
        with pytest.raises(HoldNotFound):
            books.top_up(uuid4(), cpu=1)
