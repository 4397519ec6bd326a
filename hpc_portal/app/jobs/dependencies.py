"""Dependencies: let a job go when the jobs it waits for allow it, or end it when they never will."""

import functools
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobTask
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind, JobSpec
from schedulers.jobstate import JobState

_BATCH = 1000
_OVER = (Phase.ENDED, Phase.SETTLED, Phase.REFUSED)


class Answer(Enum):
    """What a dependency says about a waiting job."""

    WAIT = auto()
    GO = auto()
    NEVER = auto()


def ask(dependency: Dependency, *, has_ended: bool, state: JobState) -> Answer:
    """What one dependency says, given where the other job stands.

    A job that the scheduler refused counts as ended and not completed. For `aftercorr`, GO means that the
    other array has ended: `narrow` then leaves only the tasks whose counterpart completed.
    """
    if not has_ended:
        return Answer.WAIT
    completed = state is JobState.COMPLETED
    match dependency.kind:
        case DependencyKind.AFTERANY | DependencyKind.AFTERCORR:
            return Answer.GO
        case DependencyKind.AFTEROK:
            return Answer.GO if completed else Answer.NEVER
        case DependencyKind.AFTERNOTOK:
            return Answer.NEVER if completed else Answer.GO
        case _:
            assert_never(dependency.kind)


def narrow(spec: JobSpec, completed: Collection[int]) -> JobSpec | None:
    """The job with only those of its tasks whose index is in `completed`; None when none is left."""
    kept = [index for index in spec.task_indices() if index in completed]
    if len(kept) == spec.task_count:
        return spec
    if not kept or spec.array is None:
        return None
    throttle = f"%{spec.array.throttle}" if spec.array.throttle else ""
    array = ArraySpec(expression=f"{_as_ranges(kept)}{throttle}")
    return spec.model_copy(update={"array": array})


def _as_ranges(rising: Sequence[int]) -> str:
    """`0-2,5` for [0, 1, 2, 5]."""
    groups = itertools.groupby(enumerate(rising), key=lambda item: item[1] - item[0])
    runs = [[index for _, index in group] for _, group in groups]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


async def resolve_dependencies(context: ControllerContext) -> bool:
    """Look once at all jobs that wait for others; True when some of them wait no more.

    Raises:
        LeaseLost: another controller is active; nothing was written.
    """
    has_changed = False
    after: UUID | None = None
    while True:
        waiting = await context.read(functools.partial(_waiting, context=context, after=after))
        if waiting and (verdicts := await context.read(functools.partial(_verdicts, waiting=waiting))):
            await context.write(functools.partial(_write, verdicts=verdicts, at=context.clock.now()))
            has_changed = True
        if len(waiting) < _BATCH:
            return has_changed
        after = waiting[-1].id


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What becomes of a job that waited."""

    row: AnyRow
    may_start: bool
    narrowed: JobSpec | None = None
    """The part of an array that may start, when it is not all of it."""
    left_out: int = 0
    """Tasks that never will."""


def _verdicts(connection: Connection, *, waiting: Sequence[AnyRow]) -> list[_Verdict]:
    readable: dict[UUID, list[Dependency]] = {}
    verdicts: list[_Verdict] = []
    for row in waiting:
        try:
            readable[row.id] = [Dependency.model_validate(item) for item in row.dependencies]
        except (ValueError, TypeError):  # dispatch cannot read such a job either, and refuses it
            verdicts.append(_Verdict(row, may_start=True))
    others = _others(connection, readable.values())
    for row in waiting:
        if row.id not in readable:
            continue
        match _answer(readable[row.id], others):
            case Answer.GO:
                verdicts.append(_narrowed(connection, row, readable[row.id]))
            case Answer.NEVER:
                verdicts.append(_Verdict(row, may_start=False))
            case Answer.WAIT:
                pass
    return verdicts


def _narrowed(connection: Connection, row: AnyRow, dependencies: Sequence[Dependency]) -> _Verdict:
    """The job may start, as far as the arrays that it corresponds to let it."""
    completed = _completed_counterparts(connection, dependencies)
    if completed is None:
        return _Verdict(row, may_start=True)
    stored = connection.execute(select(col(Job.spec)).where(col(Job.id) == row.id)).scalar_one()
    try:
        spec = JobSpec.model_validate(stored)
    except ValueError:
        return _Verdict(row, may_start=True)
    goes = narrow(spec, completed)
    if goes is None:
        return _Verdict(row, may_start=False)
    return _Verdict(row, may_start=True, narrowed=goes, left_out=spec.task_count - goes.task_count)


def _completed_counterparts(connection: Connection, dependencies: Sequence[Dependency]) -> set[int] | None:
    """Task indices that completed in every job that this one corresponds to; None: it does to none."""
    jobs = [item.job_id for item in dependencies if item.kind is DependencyKind.AFTERCORR]
    if not jobs:
        return None
    completed = [
        set(
            connection.execute(
                select(col(JobTask.task_index)).where(
                    col(JobTask.job_id) == job_id, col(JobTask.state) == JobState.COMPLETED
                )
            ).scalars()
        )
        for job_id in jobs
    ]
    return set.intersection(*completed)


def _waiting(connection: Connection, *, context: ControllerContext, after: UUID | None) -> Sequence[AnyRow]:
    """A page of them; of each spec only the part that is needed, for there may be many."""
    is_later = () if after is None else (col(Job.id) > after,)
    return connection.execute(
        select(col(Job.id), col(Job.project_id), col(Job.spec)["dependencies"].label("dependencies"))
        .where(
            col(Job.phase) == Phase.ACCEPTED,
            col(Job.waits_for_jobs),
            col(Job.cancel_requested_at).is_(None),
            col(Job.scheduler) == context.scheduler.name,
            *is_later,
        )
        .order_by(col(Job.id))
        .limit(_BATCH)
    ).all()


def _others(
    connection: Connection, dependencies: Iterable[Sequence[Dependency]]
) -> dict[UUID, tuple[bool, JobState]]:
    wanted = list({item.job_id for of_one_job in dependencies for item in of_one_job})
    found: dict[UUID, tuple[bool, JobState]] = {}
    for start in range(0, len(wanted), _BATCH):
        some = select(col(Job.id), col(Job.phase), col(Job.state)).where(
            col(Job.id).in_(wanted[start : start + _BATCH])
        )
        found |= {row.id: (row.phase in _OVER, row.state) for row in connection.execute(some)}
    return found


def _answer(dependencies: Sequence[Dependency], others: Mapping[UUID, tuple[bool, JobState]]) -> Answer:
    """All must allow it; one that never will decides at once."""
    answers = set()
    for dependency in dependencies:
        has_ended, state = others.get(dependency.job_id, (True, JobState.UNKNOWN))
        answers.add(ask(dependency, has_ended=has_ended, state=state))
    if Answer.NEVER in answers:
        return Answer.NEVER
    return Answer.WAIT if Answer.WAIT in answers else Answer.GO


def _write(connection: Connection, *, verdicts: Sequence[_Verdict], at: datetime) -> None:
    told: list[Event] = []
    for verdict in verdicts:
        job_id = verdict.row.id
        values: dict[str, Any] = {"waits_for_jobs": False}
        if not verdict.may_start:
            values |= {
                "phase": Phase.ENDED,
                "state": JobState.CANCELLED,
                "state_reason": "DependencyNeverSatisfied",
                "ended_at": at,
                "tasks_cancelled": col(Job.tasks_total),
            }
        else:
            values |= {"state_reason": "", "tasks_cancelled": verdict.left_out}
        if verdict.narrowed:
            values["spec"] = verdict.narrowed.model_dump(mode="json", exclude_defaults=True)
        still_waiting = (col(Job.phase) == Phase.ACCEPTED, col(Job.waits_for_jobs))
        written = connection.execute(update(Job).where(col(Job.id) == job_id, *still_waiting).values(values))
        if written.rowcount and not verdict.may_start:
            facts = {"state": JobState.CANCELLED, "reason": "DependencyNeverSatisfied"}
            told.append(Event(job_id, verdict.row.project_id, "job.state", facts))
    events.record(connection, told, at=at)
