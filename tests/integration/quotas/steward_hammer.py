"""One of several processes that settle, refund, increase, split, expire and carry over at the same time."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Engine

from quotas.errors import AllocationStateRefused, QuotaError, RefundRefused
from quotas.publish_prices import current_price_list
from tests.integration.quotas.books import START, Books, open_engine, run
from tests.integration.quotas.hammer import again
from tests.integration.quotas.steward import Steward

ROUNDS = 8
MORE = 11
PART = 7
SECONDS = 90
LATER = START + timedelta(days=2)
"""When the first of the two allocations is over, and the second is not."""
RING = 8
"""Allocations that end an hour after each other from a day later on, those with a higher id first."""


def hammer(  # noqa: PLR0913, PLR0917 - what the processes share
    engine: Engine,
    project: UUID,
    student: UUID,
    ended: UUID,
    lasting: UUID,
    ring: Sequence[UUID],
    jobs: Sequence[UUID],
    number: int,
) -> dict[str, int]:
    """Every deed with a key that all processes share, and refunds with keys of our own.

    Then some let allocations end while others carry over between them: no deadlock, so that nothing is
    done again.
    """
    with engine.begin() as conn:
        books = Books(engine, project, current_price_list(conn, START))
    steward = Steward(books)
    done = {"repeats": 0, "increases": 0, "refunds_vnd": 0}

    def once(verb: Callable[[], bool]) -> bool:
        try:
            return again(done, verb)
        except AllocationStateRefused:
            return False  # nothing is left just now

    for turn in range(ROUNDS):
        done["increases"] += once(partial(steward.increase, lasting, key=f"{turn}", VND=MORE))
        part = again(done, partial(steward.move, lasting, student, key=f"part-{turn}", VND=PART))
        for job in jobs[turn::ROUNDS]:
            again(done, partial(books.settle, job, run(f"{job}:0", seconds=SECONDS)))
            again(done, partial(books.close, job))
            for key, percent in ((f"shared-{turn}", 50), (f"own-{turn}-{number}", 30)):
                try:
                    given = again(done, partial(steward.refund, job, percent, key=key))
                except RefundRefused:
                    continue  # the others gave all of it back
                done["refunds_vnd"] += given.by_asset.get("VND", 0)
        again(done, partial(steward.expire, LATER))
        once(partial(steward.carry, ended, lasting, key=f"{turn}"))
        again(done, partial(steward.give_back, part, key=f"back-{turn}"))
    for hour in range(RING):
        try:
            if number % 2:
                steward.expire(LATER + timedelta(days=1, hours=hour))
            else:
                steward.carry(ring[hour], ring[hour - 1])
        except AllocationStateRefused:
            continue  # the other one has ended, or nothing is left
    return done


if __name__ == "__main__":
    url, process, *ids = sys.argv[1:]
    first, second, third, fourth, *shared = map(UUID, ids)
    try:
        outcome = hammer(
            open_engine(url), first, second, third, fourth, shared[:RING], shared[RING:], int(process)
        )
    except QuotaError as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
    print(json.dumps(outcome))
