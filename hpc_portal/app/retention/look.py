"""What is over now and would go, and all of it let go at once: for the operator's command and the doctor."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from hpc_portal.app.db import transact
from hpc_portal.app.retention.job_files import OldJob, has_folder, old_jobs, remove_folder
from hpc_portal.app.retention.removed import mark_removed, take_back
from hpc_portal.app.retention.rows import BATCH, KINDS, count_over, prune
from hpc_portal.app.settings import RetentionSettings

JOB_FILES = "job_files"
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Overdue:
    """One kind, and how much of it is over."""

    kind: str
    count: int


def what_is_over(engine: Engine, root: Path, settings: RetentionSettings, *, at: datetime) -> list[Overdue]:
    """How much of each kind would go; changes nothing. Looks whether each old job has a folder."""
    with engine.connect() as connection:
        found = [Overdue(kind.name, count_over(connection, kind, settings, at)) for kind in KINDS]
    folders = sum(has_folder(root, job) for job in _old_jobs(engine, settings, at))
    return [*found, Overdue(JOB_FILES, folders)]


def let_go(engine: Engine, root: Path, settings: RetentionSettings, *, at: datetime) -> list[Overdue]:
    """Let go of all that is over, in the same small batches as the controller, beside which it may run."""
    found = []
    for kind in KINDS:
        total = gone = BATCH
        total = 0
        while gone == BATCH:
            gone = transact(engine, partial(prune, kind=kind, settings=settings, at=at))
            total += gone
        found.append(Overdue(kind.name, total))
    going = (job for job in _old_jobs(engine, settings, at) if has_folder(root, job))
    folders = sum(_remove(engine, root, job, days=settings.job_files_days or 0, at=at) for job in going)
    return [*found, Overdue(JOB_FILES, folders)]


def _remove(engine: Engine, root: Path, job: OldJob, *, days: int, at: datetime) -> bool:
    """Delete its folder and leave the mark; whether it went."""
    transact(engine, partial(mark_removed, job_ids=[job.id], at=at, days=days))
    is_gone = remove_folder(root, job)
    if not is_gone:
        transact(engine, partial(take_back, job_ids=[job.id]))
    return is_gone


def _old_jobs(engine: Engine, settings: RetentionSettings, at: datetime) -> Iterator[OldJob]:
    days, after = settings.job_files_days, _FIRST
    while days:
        with engine.connect() as connection:
            jobs = old_jobs(connection, at, days=days, after=after)
        yield from jobs
        if not jobs:
            return
        after = jobs[-1].id
