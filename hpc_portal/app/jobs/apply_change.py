"""What a change that is carried out, or refused, does to the job's row and to its hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, case, select, update
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import ChangeKind, HeldBy
from hpc_portal.app.tables import Job, JobChange
from quotas.errors import HoldNotFound
from quotas.holds import lock_hold
from quotas.pricing import price
from quotas.publish_prices import load_price_list
from quotas.release import release_units
from quotas.set_subsidy import load_subsidy
from quotas.trim_hold import trim_hold
from schedulers import protocol
from schedulers.array_tasks import without
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState
from schedulers.tres import times

_JOB = select(col(Job.id), col(Job.phase), col(Job.spec), col(Job.tasks_total))


def apply_change(connection: Connection, job_id: UUID, change: protocol.JobChange, *, at: datetime) -> None:
    """Write what is different about the job from now on; again is fine.

    Tasks that a scheduler cancels are not counted here: it reports the end of each of them.
    """
    match change:
        case protocol.HoldJob(by_administrator):
            held_by = HeldBy.ADMINISTRATOR if by_administrator else HeldBy.USER
            _write(connection, job_id, held_by=held_by)
        case protocol.ReleaseJob():
            spec = _spec(connection, job_id).model_copy(update={"hold": False})
            _write(connection, job_id, held_by=None, spec=_json(spec))
            _forget_held_reason(connection, job_id)
        case protocol.SetNice(nice):
            # A spec cannot ask to overtake others: what an administrator gives is the job's priority.
            spec = _spec(connection, job_id).model_copy(update={"nice": max(nice, 0)})
            _write(connection, job_id, spec=_json(spec), priority=max(-nice, 0))
        case protocol.SetWalltime(seconds):
            _set_walltime(connection, job_id, seconds)
            fit_hold(connection, job_id, at=at)
        case protocol.RequeueJob() | protocol.CancelTasks():
            pass


def fit_hold(connection: Connection, job_id: UUID, *, at: datetime) -> None:
    """Release what is held for a walltime that the job neither has nor may still get."""
    spec = _spec(connection, job_id)
    wishes = connection.execute(
        select(col(JobChange.facts)).where(
            col(JobChange.job_id) == job_id,
            col(JobChange.kind) == ChangeKind.WALLTIME,
            col(JobChange.decided_at).is_(None),
        )
    ).scalars()
    longest = max([spec.resources.walltime_seconds or 0, *(facts["walltime_seconds"] for facts in wishes)])
    if longest and is_held(connection, job_id):
        trim_hold(connection, job_id=job_id, at=at, unit=times(spec.resources.tres, longest))


def is_held(connection: Connection, job_id: UUID) -> bool:
    """Whether budget was ever set aside for the job; for one that came in beside the portal it was not."""
    try:
        lock_hold(connection, job_id)
    except HoldNotFound:
        return False
    return True


def drop_undispatched_tasks(
    connection: Connection, job_id: UUID, tasks: protocol.CancelTasks, *, at: datetime
) -> JobState | None:
    """Take tasks out of an array that no scheduler has; the job's end state when nothing of it is left."""
    row = connection.execute(_JOB.where(col(Job.id) == job_id)).one()
    spec = JobSpec.model_validate(row.spec)
    if spec.array is None:
        return None
    left = without(spec.array, tasks.tasks)
    if left is None:
        ended = {"phase": Phase.ENDED, "state": JobState.CANCELLED, "state_reason": "", "ended_at": at}
        _write(connection, job_id, **ended, tasks_cancelled=row.tasks_total)
        return JobState.CANCELLED
    if count := len(spec.array) - len(left):
        shrunk = _json(spec.model_copy(update={"array": left}))
        _write(connection, job_id, spec=shrunk, tasks_cancelled=col(Job.tasks_cancelled) + count)
        release_units(connection, job_id=job_id, units=count, at=at, reason="tasks were cancelled")
    return None


def _set_walltime(connection: Connection, job_id: UUID, seconds: int) -> None:
    row = connection.execute(_JOB.where(col(Job.id) == job_id)).one()
    spec = JobSpec.model_validate(row.spec)
    resources = spec.resources.model_copy(update={"walltime_seconds": seconds})
    values: dict[str, Any] = {"spec": _json(spec.model_copy(update={"resources": resources}))}
    if is_held(connection, job_id):
        line = lock_hold(connection, job_id)[0]
        price_list = load_price_list(connection, line.price_list_id)
        subsidy = load_subsidy(connection, line.subsidy_rule_id)
        unit = price(times(spec.resources.tres, seconds), line.partition, price_list, subsidy)
        values["estimated_vnd"] = unit.total * row.tasks_total
    _write(connection, job_id, **values)


def _forget_held_reason(connection: Connection, job_id: UUID) -> None:
    """Until the scheduler gives another one."""
    connection.execute(
        update(Job)
        .where(col(Job.id) == job_id, col(Job.state_reason).startswith("JobHeld"))
        .values(state_reason=case((col(Job.waits_for_jobs).is_(True), "Dependency"), else_=""))
    )


def _spec(connection: Connection, job_id: UUID) -> JobSpec:
    return JobSpec.model_validate(
        connection.execute(select(col(Job.spec)).where(col(Job.id) == job_id)).scalar_one()
    )


def _json(spec: JobSpec) -> Mapping[str, Any]:
    return spec.model_dump(mode="json", exclude_defaults=True)


def _write(connection: Connection, job_id: UUID, **values: object) -> None:
    connection.execute(update(Job).where(col(Job.id) == job_id).values(**values))
