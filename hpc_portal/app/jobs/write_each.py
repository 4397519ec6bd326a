"""Writes for many jobs at once, so that one of them that cannot be written stops nobody else."""

from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.leases import LeaseLost
from schedulers.errors import SchedulerBroken

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger()


async def write_each(
    context: ControllerContext, items: Mapping[UUID, T], write: Callable[[Connection, Mapping[UUID, T]], R]
) -> tuple[list[R], frozenset[UUID]]:
    """Write all in one transaction or, when that fails, each job in its own.

    Returns what `write` returned, and the jobs that cannot be written even alone; those are logged.

    Raises:
        LeaseLost: another controller is active; nothing more was written.
        SchedulerBroken: what it told cannot be; nothing more was written.
        OperationalError: the database is out of reach, which is nobody's fault.
    """
    try:
        return [await context.write(lambda connection: write(connection, items))], frozenset()
    except (LeaseLost, OperationalError, SchedulerBroken):
        raise
    except Exception:
        if len(items) == 1:
            log.exception("job.cannot_be_written", job_id=str(next(iter(items))))
            return [], frozenset(items)
    results: list[R] = []
    failed: frozenset[UUID] = frozenset()
    for job_id, item in items.items():
        written, failed_alone = await write_each(context, {job_id: item}, write)
        results += written
        failed |= failed_alone
    return results, failed
