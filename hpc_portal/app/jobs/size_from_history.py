"""What to ask for, from what a person's own last jobs of the same kind used."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.jobs.efficiency import RunsUsed, runs_used
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState

_LOOKED_AT, _JOBS = 500, 20
"""Of one's newest jobs, whatever they are, and of those of the template: a form must open at once."""
_FEWEST_JOBS = 2
"""One job is no habit."""
_TASKS_EACH = 200
_LONG_AGO = timedelta(days=90)
_WALLTIME_HEADROOM = 1.5
_WALLTIME_STEP_SECONDS = 300


@dataclass(frozen=True, slots=True)
class SizeProposal:
    """What would have been enough for all of those jobs, and what they used."""

    jobs: int
    used: RunsUsed
    cpus: int | None
    """None where it was not measured; so the memory."""
    memory_mib: int | None
    walltime_seconds: int


def propose_size(
    connection: Connection, actor: Actor, template: str, *, now: datetime
) -> SizeProposal | None:
    """From the actor's newest completed jobs of a template; None where there are too few to tell."""
    own = (
        select(col(Job.id), col(Job.template), col(Job.phase), col(Job.state))
        .where(col(Job.user_id) == actor.user_id, col(Job.id) >= first_id_at(now - _LONG_AGO))
        .order_by(col(Job.id).desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    newest = (
        select(own.c.id)
        .where(
            own.c.template == template,
            own.c.phase == Phase.SETTLED,
            own.c.state == JobState.COMPLETED,
        )
        .order_by(own.c.id.desc())
        .limit(_JOBS)
    )
    jobs = connection.execute(newest).scalars().all()
    used = runs_used(connection, jobs, most_tasks=_TASKS_EACH) if len(jobs) >= _FEWEST_JOBS else None
    if used is None:
        return None
    walltime = ceil(used.longest_seconds * _WALLTIME_HEADROOM / _WALLTIME_STEP_SECONDS)
    return SizeProposal(
        jobs=len(jobs),
        used=used,
        cpus=used.enough_cpus,
        memory_mib=used.enough_mib,
        walltime_seconds=walltime * _WALLTIME_STEP_SECONDS,
    )
