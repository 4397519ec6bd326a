"""Two at the same instant: what was retired, suspended or locked first is seen by whoever waits for it."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from quotas.allocation_lines import lock_allocation
from quotas.allocation_states import suspend
from quotas.charge import correct_run
from quotas.errors import AllocationStopped, PriceListRetired, QuotaError
from quotas.hold import Held
from quotas.publish_prices import retire_price_list
from tests.integration.quotas.books import END, START, Books, run
from tests.integration.quotas.steward import Steward

PATIENCE_SECONDS = 60
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def until_it_waits(engine: Engine, work: Future[Any]) -> None:
    """Or is done. On SQLite it waits at its BEGIN already, where nobody can see it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while engine.dialect.name == "postgresql" and not work.done() and time.monotonic() < deadline:
        with engine.connect() as conn:
            if conn.execute(_WAITING).scalar_one():
                return
        time.sleep(0.01)


def hold_beside(books: Books, deed: Callable[[Connection], object], holder: Books) -> Held:
    """Hold while somebody does something that is committed a moment later."""
    with ThreadPoolExecutor(1) as pool:
        with books.engine.begin() as conn:
            deed(conn)
            waiting = pool.submit(holder.hold, cpu=10)
            until_it_waits(books.engine, waiting)
        return waiting.result(timeout=PATIENCE_SECONDS)


def test_nothing_is_held_at_prices_that_were_retired_at_the_same_instant(books: Books) -> None:
    books.grant(VND=1000)
    old = books.price_list
    earlier = books.hold(cpu=10)
    books.publish_twice_as_dear()
    books.price_list = old
    with pytest.raises(PriceListRetired, match="list 1 was retired"):
        hold_beside(books, lambda conn: retire_price_list(conn, old.version, actor_id=None, at=START), books)
    with books.unchanged():
        with pytest.raises(PriceListRetired):
            books.hold(cpu=10)
        assert books.hold(earlier.job_id, cpu=10) == earlier
    books.settle(earlier.job_id, run("a", seconds=10))
    assert books.state() == (990, 0, 10)
    assert books.discrepancies == []


def test_of_a_batch_only_what_is_priced_by_a_retired_list_is_refused(books: Books) -> None:
    books.grant(VND=1000)
    old = books.price_list
    books.publish_twice_as_dear()
    with books.engine.begin() as conn:
        retire_price_list(conn, old.version, actor_id=None, at=START)
    books.hold(cpu=10)
    books.price_list = old
    outcomes: list[Held | QuotaError] = books.hold_together({"cpu": 1}, {"cpu": 2})
    assert [type(outcome) for outcome in outcomes] == [PriceListRetired] * 2
    assert books.state() == (980, 20, 0)


@pytest.mark.parametrize("is_source", [False, True])
def test_nothing_is_held_on_what_is_suspended_at_the_same_instant(books: Books, *, is_source: bool) -> None:
    allocation = books.grant(VND=1000)
    holder = books
    if is_source:
        holder = Steward(books).sibling()
        Steward(books).move(allocation, holder.project_id, VND=500)

    def stop(conn: Connection) -> object:
        return suspend(conn, allocation_id=allocation, actor_id=None, reason="a test", at=START)

    with pytest.raises(AllocationStopped):
        hold_beside(books, stop, holder)
    assert (books.balances["VND"].held, holder.balances["VND"].held) == (0, 0)


def test_allocations_that_end_are_locked_in_the_order_in_which_everybody_locks(books: Books) -> None:
    lower, upper = sorted(books.grant(VND=100, valid_to=END - timedelta(days=9)) for _ in range(2))
    steward = Steward(books)
    steward.extend(lower, END)  # so that the upper one ends first
    with ThreadPoolExecutor(1) as pool:
        with books.engine.begin() as conn:
            lock_allocation(conn, lower)
            waiting = pool.submit(steward.expire, END)
            until_it_waits(books.engine, waiting)
            lock_allocation(conn, upper)
        ended = waiting.result(timeout=PATIENCE_SECONDS)
    assert [one.allocation_id for one in ended] == [upper, lower]
    assert books.discrepancies == []


def test_two_who_correct_one_run_at_the_same_instant_post_one_after_the_other(books: Books) -> None:
    books.grant(VND=1000)
    job = books.hold(cpu=100).job_id
    books.settle(job, run("a", seconds=50))
    with ThreadPoolExecutor(1) as pool:
        with books.engine.begin() as conn:
            correct_run(conn, job_id=job, run=run("a", seconds=60), at=START)
            waiting = pool.submit(Steward(books).correct, job, run("a", seconds=70))
            until_it_waits(books.engine, waiting)
        waiting.result(timeout=PATIENCE_SECONDS)
    assert books.state() == (930, 0, 70)
    assert books.discrepancies == []
