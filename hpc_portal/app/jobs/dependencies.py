"""Dependencies: let a job go when the jobs it waits for allow it, or end it when they never will."""

import functools
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Connection, exists, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import NEVER, Phase
from hpc_portal.app.tables import Job, JobTask
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind, JobSpec
from schedulers.jobstate import JobState
from schedulers.protocol import Feature, SchedulerDependency

_BATCH = 1000
_KNOWN_FOR = timedelta(seconds=60)
"""How old the last look at the scheduler may be; Slurm keeps ended jobs for longer (MinJobAge)."""
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


@dataclass(frozen=True, slots=True)
class Other:
    """Where a job stands that another one waits for."""

    has_ended: bool
    state: JobState
    phase: Phase = Phase.SETTLED
    scheduler: str = ""
    scheduler_job_id: str | None = None


_GONE = Other(has_ended=True, state=JobState.UNKNOWN)


def answer(dependencies: Sequence[Dependency], others: Mapping[UUID, Other]) -> Answer:
    """All must allow it; one that never will decides at once."""
    answers = set()
    for dependency in dependencies:
        other = others.get(dependency.job_id, _GONE)
        answers.add(ask(dependency, has_ended=other.has_ended, state=other.state))
    if Answer.NEVER in answers:
        return Answer.NEVER
    return Answer.WAIT if Answer.WAIT in answers else Answer.GO


def hand_over(
    dependencies: Sequence[Dependency], others: Mapping[UUID, Other], context: ControllerContext
) -> tuple[SchedulerDependency, ...] | None:
    """What is left to wait for, as the scheduler itself can keep it; None when it cannot.

    It can when the other jobs are under way on the same scheduler. After a while without tracking they may
    have ended there long ago and be forgotten, so that then they are looked at first. `aftercorr` is never
    handed over: its tasks that can never start would wait for ever beside those that did.
    """
    looked_at = context.tracked.looked_at
    is_known = looked_at is not None and context.clock.now() - looked_at < _KNOWN_FOR
    if not is_known or Feature.KEEPS_DEPENDENCIES not in context.scheduler.features:
        return None
    left: list[SchedulerDependency] = []
    for dependency in dependencies:
        other = others.get(dependency.job_id, _GONE)
        if dependency.kind is DependencyKind.AFTERCORR:
            return None
        if other.has_ended:
            continue
        is_there = other.phase is Phase.TRACKED and other.scheduler == context.scheduler.name
        if not is_there or other.scheduler_job_id is None:
            return None
        left.append(SchedulerDependency(dependency.kind, other.scheduler_job_id))
    return tuple(left)


async def resolve_dependencies(context: ControllerContext) -> bool:
    """Look once at all jobs that wait for others; True when some of them wait no more.

    Raises:
        LeaseLost: another controller is active; nothing was written.
    """
    has_changed = False
    after: UUID | None = None
    while True:
        waiting = await context.read(functools.partial(_waiting, context=context, after=after))
        judge = functools.partial(_verdicts, waiting=waiting, context=context)
        if waiting and (verdicts := await context.read(judge)):
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
    is_handed_over: bool = False
    """It goes to the scheduler now, and waits there."""
    narrowed: JobSpec | None = None
    """The part of an array that may start, when it is not all of it."""
    left_out: int = 0
    """Tasks that never will."""


def _verdicts(
    connection: Connection, *, waiting: Sequence[AnyRow], context: ControllerContext
) -> list[_Verdict]:
    readable: dict[UUID, list[Dependency]] = {}
    verdicts: list[_Verdict] = []
    for row in waiting:
        try:
            readable[row.id] = [Dependency.model_validate(item) for item in row.dependencies]
        except (ValueError, TypeError):  # dispatch cannot read such a job either, and refuses it
            verdicts.append(_Verdict(row, may_start=True))
    others = find_others(connection, readable.values())
    for row in waiting:
        if row.id not in readable:
            continue
        match answer(readable[row.id], others):
            case Answer.GO:
                verdicts.append(_narrowed(connection, row, readable[row.id]))
            case Answer.NEVER:
                verdicts.append(_Verdict(row, may_start=False))
            case Answer.WAIT:
                if hand_over(readable[row.id], others, context) is not None:
                    verdicts.append(_Verdict(row, may_start=True, is_handed_over=True))
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


def find_others(connection: Connection, dependencies: Iterable[Sequence[Dependency]]) -> dict[UUID, Other]:
    """Where the jobs stand that these wait for, on whichever cluster; those that are gone are left out."""
    wanted = list({item.job_id for of_one_job in dependencies for item in of_one_job})
    found: dict[UUID, Other] = {}
    for start in range(0, len(wanted), _BATCH):
        some = select(
            col(Job.id), col(Job.phase), col(Job.state), col(Job.scheduler), col(Job.scheduler_job_id)
        ).where(col(Job.id).in_(wanted[start : start + _BATCH]))
        found |= {
            row.id: Other(
                has_ended=row.phase in _OVER,
                state=row.state,
                phase=row.phase,
                scheduler=row.scheduler,
                scheduler_job_id=row.scheduler_job_id,
            )
            for row in connection.execute(some)
        }
    return found


def _write(connection: Connection, *, verdicts: Sequence[_Verdict], at: datetime) -> None:
    told: list[Event] = []
    for verdict in verdicts:
        job_id = verdict.row.id
        values: dict[str, Any] = {"waits_for_jobs": False}
        if not verdict.may_start:
            values |= {
                "phase": Phase.ENDED,
                "state": JobState.CANCELLED,
                "state_reason": NEVER,
                "ended_at": at,
                "tasks_cancelled": col(Job.tasks_total),
            }
        elif not verdict.is_handed_over:
            values |= {"state_reason": "", "tasks_cancelled": verdict.left_out}
        if verdict.narrowed:
            values["spec"] = verdict.narrowed.model_dump(mode="json", exclude_defaults=True)
        still_waiting = (col(Job.phase) == Phase.ACCEPTED, col(Job.waits_for_jobs))
        written = connection.execute(update(Job).where(col(Job.id) == job_id, *still_waiting).values(values))
        if written.rowcount and not verdict.may_start:
            facts = {"state": JobState.CANCELLED, "reason": NEVER}
            told.append(Event(job_id, verdict.row.project_id, "job.state", facts))
    events.record(connection, told, at=at)


async def give_up_hopeless(context: ControllerContext) -> bool:
    """Wish for the end of jobs that wait in the scheduler for what can never come; True when there were any.

    Raises:
        LeaseLost: another controller is active; nothing was written.
    """
    if Feature.KEEPS_DEPENDENCIES not in context.scheduler.features:
        return False
    hopeless = (
        col(Job.scheduler) == context.scheduler.name,
        col(Job.phase) == Phase.TRACKED,
        col(Job.state) == JobState.PENDING,
        col(Job.state_reason) == NEVER,
        col(Job.cancel_requested_at).is_(None),
        col(Job.is_external).is_(False),  # whoever submitted it there decides
    )
    if not await context.read(
        lambda connection: connection.execute(select(exists().where(*hopeless))).scalar()
    ):
        return False
    now = context.clock.now()

    def wish(connection: Connection) -> None:
        wished = connection.execute(
            update(Job)
            .where(*hopeless)
            .values(cancel_requested_at=now)
            .returning(col(Job.id), col(Job.project_id))
        ).all()
        told = [Event(row.id, row.project_id, "job.cancel_requested", {"reason": NEVER}) for row in wished]
        events.record(connection, told, at=now)

    await context.write(wish)
    return True
