"""Dispatch: hand accepted jobs to their scheduler, each exactly once.

A job is claimed (DISPATCHING, with a token) before the scheduler hears of it, and no transaction is open
while it does. Whatever dies in between leaves a claimed job behind; such a job is looked for in the
scheduler before it is submitted again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.files.workspace import prepare_workspace
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, User
from quotas.release import close_hold
from quotas.tables import Organisation, Project
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState
from schedulers.protocol import Accepted, Refused, Submission, SubmitOutcome, Uncertain

log = structlog.get_logger()

BATCH = 256
_CLAIM = timedelta(seconds=60)
_BACKOFF = timedelta(seconds=2)
_UNREADABLE = "The portal cannot read this job any more. Please submit it again."


@dataclass(frozen=True, slots=True)
class _Claimed:
    submission: Submission
    project_id: UUID
    token: UUID
    maybe_there: bool
    """It was claimed before, by a step that did not finish: the scheduler may have it."""
    is_unwanted: bool
    """Its cancellation was asked for meanwhile."""


@dataclass(frozen=True, slots=True)
class _NeverSent:
    """Cancelled, and the scheduler does not have it: there is nothing to submit."""


_Outcome: TypeAlias = SubmitOutcome | _NeverSent


async def dispatch_once(context: ControllerContext) -> bool:
    """Hand over one batch; True when there may be more.

    Raises:
        LeaseLost: another controller is active; nothing was written.
    """
    claimed = await context.write(lambda connection: _claim(connection, context))
    if not claimed:
        return False
    try:
        outcomes = await _submit(context, claimed)
    except SchedulerUnavailable as error:
        log.warning("dispatch.scheduler_unavailable", scheduler=context.scheduler.name, problem=str(error))
        await context.write(lambda connection: _give_back(connection, claimed, at=context.clock.now()))
        return False
    context.tracked.add(
        await context.write(lambda connection: _apply(connection, context, claimed, outcomes))
    )
    return len(claimed) == BATCH


def _claim(connection: Connection, context: ControllerContext) -> list[_Claimed]:
    now = context.clock.now()
    token = uuid4()
    due = (
        select(col(Job.id), col(Job.phase))
        .where(
            col(Job.scheduler) == context.scheduler.name,
            col(Job.phase).in_([Phase.ACCEPTED, Phase.DISPATCHING]),
            col(Job.waits_for_jobs).is_(False),
            or_(
                col(Job.phase) == Phase.DISPATCHING,
                and_(col(Job.cancel_requested_at).is_(None), col(Job.held_by).is_(None)),
            ),
            or_(col(Job.not_before).is_(None), col(Job.not_before) <= now),
            or_(col(Job.claimed_until).is_(None), col(Job.claimed_until) <= now),
        )
        .order_by(col(Job.id))
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    phases = {row.id: row.phase for row in connection.execute(due)}
    if not phases:
        return []
    connection.execute(
        update(Job)
        .where(col(Job.id).in_(list(phases)))
        .values(phase=Phase.DISPATCHING, claim_token=token, claimed_until=now + _CLAIM, not_before=None)
    )
    claimed: list[_Claimed] = []
    for row in connection.execute(SUBMISSIONS.where(col(Job.id).in_(list(phases))).order_by(col(Job.id))):
        was_claimed = phases[row.id] is Phase.DISPATCHING
        try:
            submission = submission_of(row, context)
        except ValueError:  # written by a version of the portal that allowed more, or less
            log.exception("dispatch.unreadable_job", job_id=str(row.id))
            if not was_claimed and _refuse(connection, row.id, token, _UNREADABLE, at=now):
                refused = Event(row.id, row.project_id, "job.refused", {"reason": _UNREADABLE})
                events.record(connection, [refused], at=now)
            continue
        claimed.append(
            _Claimed(
                submission,
                project_id=row.project_id,
                token=token,
                maybe_there=was_claimed,
                is_unwanted=row.cancel_requested_at is not None,
            )
        )
    return claimed


SUBMISSIONS = (
    select(
        col(Job.id),
        col(Job.project_id),
        col(Job.spec),
        col(Job.workspace),
        col(Job.submitted_at),
        col(Job.priority),
        col(Job.cancel_requested_at),
        col(Job.held_by),
        col(User.cluster_user),
        col(User.cluster_number),
        col(Project.account),
        col(Organisation.slug),
    )
    .join(User, col(User.id) == col(Job.user_id))
    .join(Project, col(Project.id) == col(Job.project_id))
    .join(Organisation, col(Organisation.id) == col(Job.organisation_id))
)
"""What a Submission is made of; add a WHERE."""


def submission_of(row: AnyRow, context: ControllerContext) -> Submission:
    """The Submission in a row of SUBMISSIONS."""
    return Submission(
        job_id=row.id,
        spec=JobSpec.model_validate(row.spec),
        cluster_user=row.cluster_user,
        cluster_uid=context.cluster_uid_base + row.cluster_number if context.cluster_uid_base else None,
        organisation=row.slug,
        project=row.account,
        workspace=str(context.workspace_root / row.workspace),
        submitted_at=row.submitted_at,
        priority=row.priority,
        is_held=row.held_by is not None,
    )


async def _submit(context: ControllerContext, claimed: Sequence[_Claimed]) -> list[_Outcome]:
    """One outcome for each claimed job, in order; jobs that the scheduler already has are not sent again."""
    suspects = [claim.submission.job_id for claim in claimed if claim.maybe_there]
    found: Mapping[UUID, str] = await context.scheduler.find(suspects) if suspects else {}
    outcomes: dict[UUID, _Outcome] = {
        claim.submission.job_id: _NeverSent() for claim in claimed if claim.is_unwanted
    }
    outcomes |= {job_id: Accepted(known) for job_id, known in found.items()}
    new = [claim.submission for claim in claimed if claim.submission.job_id not in outcomes]
    problems = await asyncio.to_thread(_prepare_workspaces, context, new)
    outcomes.update(problems)
    ready = [submission for submission in new if submission.job_id not in problems]
    answers = await context.scheduler.submit(ready) if ready else []
    outcomes.update({submission.job_id: answer for submission, answer in zip(ready, answers, strict=True)})
    return [outcomes[claim.submission.job_id] for claim in claimed]


def _prepare_workspaces(
    context: ControllerContext, submissions: Sequence[Submission]
) -> dict[UUID, SubmitOutcome]:
    """Write each job's inputs; a job whose inputs cannot be written waits as Uncertain and is tried again."""
    problems: dict[UUID, SubmitOutcome] = {}
    for submission in submissions:
        relative = submission.workspace.removeprefix(f"{context.workspace_root}/")
        try:
            prepare_workspace(context.workspace_root, relative, submission.spec)
        except OSError as error:
            log.warning("dispatch.workspace_failed", job_id=str(submission.job_id), problem=str(error))
            problems[submission.job_id] = Uncertain(f"the workspace cannot be written: {error}")
    return problems


def _give_back(connection: Connection, claimed: Sequence[_Claimed], *, at: datetime) -> None:
    """Nothing was sent: back to where each job was, to be tried again a little later."""
    for phase, group in (
        (Phase.DISPATCHING, [claim for claim in claimed if claim.maybe_there]),
        (Phase.ACCEPTED, [claim for claim in claimed if not claim.maybe_there]),
    ):
        if group:
            connection.execute(
                update(Job)
                .where(
                    col(Job.id).in_([claim.submission.job_id for claim in group]),
                    col(Job.claim_token) == group[0].token,
                )
                .values(
                    phase=phase,
                    claim_token=None,
                    claimed_until=None,
                    not_before=at + _BACKOFF,
                    state_reason="SchedulerUnavailable",
                )
            )


_TRACKED = (
    update(Job)
    .where(col(Job.id) == bindparam("job"), col(Job.claim_token) == bindparam("token"))
    .values(
        phase=Phase.TRACKED,
        scheduler_job_id=bindparam("scheduler_id"),
        dispatched_at=bindparam("now"),
        state_reason="",
        claim_token=None,
        claimed_until=None,
    )
)


def _apply(
    connection: Connection,
    context: ControllerContext,
    claimed: Sequence[_Claimed],
    outcomes: Sequence[_Outcome],
) -> dict[str, UUID]:
    """Write what the scheduler answered, for jobs whose claim is still ours; those it has, by its ids."""
    now = context.clock.now()
    if any(isinstance(outcome, Refused) for outcome in outcomes):
        events.take_turns(connection)
    told: list[Event] = []
    accepted: list[dict[str, Any]] = []
    for claim, outcome in zip(claimed, outcomes, strict=True):
        job_id = claim.submission.job_id
        match outcome:
            case Accepted(scheduler_job_id):
                accepted.append(
                    {"job": job_id, "token": claim.token, "scheduler_id": scheduler_job_id, "now": now}
                )
                told.append(
                    Event(job_id, claim.project_id, "job.dispatched", {"scheduler_job_id": scheduler_job_id})
                )
            case Refused(reason):
                if _refuse(connection, job_id, claim.token, reason, at=now):
                    told.append(Event(job_id, claim.project_id, "job.refused", {"reason": reason}))
            case _NeverSent():
                if _end_unsent(connection, claim, at=now):
                    told.append(Event(job_id, claim.project_id, "job.state", {"state": JobState.CANCELLED}))
            case Uncertain(problem):
                log.warning("dispatch.uncertain", job_id=str(job_id), problem=problem)
                _wait(connection, claim, problem, until=now + _BACKOFF)
    if accepted:
        connection.execute(_TRACKED, accepted)
    events.record(connection, told, at=now)
    return {values["scheduler_id"]: values["job"] for values in accepted}


def _refuse(connection: Connection, job_id: UUID, token: UUID, reason: str, *, at: datetime) -> bool:
    refused = connection.execute(
        update(Job)
        .where(col(Job.id) == job_id, col(Job.claim_token) == token)
        .values(
            phase=Phase.REFUSED,
            state_reason=reason,
            ended_at=at,
            settled_at=at,
            claim_token=None,
            claimed_until=None,
        )
    )
    if refused.rowcount:
        close_hold(connection, job_id, at)
    return bool(refused.rowcount)


def _end_unsent(connection: Connection, claim: _Claimed, *, at: datetime) -> bool:
    """End a cancelled job that no scheduler has; its budget is released when it is settled."""
    ended = connection.execute(
        update(Job)
        .where(col(Job.id) == claim.submission.job_id, col(Job.claim_token) == claim.token)
        .values(
            phase=Phase.ENDED,
            state=JobState.CANCELLED,
            state_reason="",
            ended_at=at,
            tasks_cancelled=col(Job.tasks_total),
            claim_token=None,
            claimed_until=None,
        )
    )
    return bool(ended.rowcount)


def _wait(connection: Connection, claim: _Claimed, problem: str, *, until: datetime) -> None:
    """Stay DISPATCHING, so that the job is looked for before it is sent again, and say why it waits."""
    connection.execute(
        update(Job)
        .where(col(Job.id) == claim.submission.job_id, col(Job.claim_token) == claim.token)
        .values(claim_token=None, claimed_until=None, not_before=until, state_reason=problem)
    )
