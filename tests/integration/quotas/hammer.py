"""One of several processes that work on one project at the same time; prints what it achieved as JSON."""

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import UUID, uuid5

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from quotas.errors import BudgetExceeded
from quotas.publish_prices import current_price_list
from tests.integration.quotas.books import START, Books, open_engine, run

T = TypeVar("T")

JOBS = UUID(int=42)
SHARED_JOBS = 20
TASKS = 4
_ATTEMPTS = 20


def hammer(engine: Engine, project_id: UUID, number: int) -> dict[str, int]:
    """Hold and settle jobs that every process works on, then hold jobs of our own until nothing is left."""
    with engine.begin() as conn:
        books = Books(engine, project_id, current_price_list(conn, START))
    done = {"charged_vnd": 0, "own_jobs": 0, "repeats": 0}
    for shared in range(SHARED_JOBS):
        job_id = uuid5(JOBS, f"shared {shared}")
        again(done, partial(books.hold, job_id, units=TASKS, cpu=10))
        runs = [run(f"{job_id}:{task}", seconds=9) for task in range(TASKS)]
        charges = again(done, partial(books.settle, job_id, *runs))
        done["charged_vnd"] += sum(charge.vnd for charge in charges if charge.is_new)
        again(done, partial(books.close, job_id))
    own = 0
    while True:
        own += 1
        job_id = uuid5(JOBS, f"{number} {own}")
        try:
            again(done, partial(books.hold, job_id, unit={"cpu": 7, "license/vcs": 1}))
        except BudgetExceeded:
            return done
        done["own_jobs"] += 1


def again(done: dict[str, int], work: Callable[[], T]) -> T:
    """As the portal does: a deadlock or a serialisation failure is no error, but a wish to try again."""
    for _ in range(_ATTEMPTS):
        try:
            return work()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in {"40001", "40P01"}:
                raise
            done["repeats"] += 1
    message = f"no success in {_ATTEMPTS} attempts"
    raise RuntimeError(message)


if __name__ == "__main__":
    url, project, process = sys.argv[1:]
    print(json.dumps(hammer(open_engine(url), UUID(project), int(process))))
