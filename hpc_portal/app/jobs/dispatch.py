"""Dispatch: hand accepted jobs to their scheduler, each exactly once.

A job is claimed (DISPATCHING, with a token) before the scheduler hears of it, and no transaction is open
while it does. Whatever dies in between leaves a claimed job behind; such a job is looked for in the
scheduler before it is submitted again. While the scheduler takes one batch, the next is claimed and its
inputs are written, and what became of the one before is recorded.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, and_, case, or_, select, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import AnyRow
from hpc_portal.app.events import Event
from hpc_portal.app.files.workspace import prepare_workspace
from hpc_portal.app.ids import made_at
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.dependencies import Answer, Other, answer, find_others, hand_over
from hpc_portal.app.jobs.lifecycle import NEVER, Phase
from hpc_portal.app.jobs.origin import Origin, origin_of, told_origins
from hpc_portal.app.jobs.record_outcomes import (
    Claimed,
    NeverSent,
    Outcome,
    SentAnew,
    WaitsAgain,
    WaitsForBudget,
    give_back,
    record_outcomes,
    refuse,
)
from hpc_portal.app.jobs.submissions import PRESENT_USER, SUBMISSIONS, is_budget_in_force, submission_of
from hpc_portal.app.jobs.trace_job import Sending, tell_found
from hpc_portal.app.paying_projects import STOPPED_PROJECTS
from hpc_portal.app.project_files.let_pass import let_job_pass
from hpc_portal.app.tables import Job
from hpc_portal.app.telemetry.instruments import DISPATCH_SECONDS, JOBS_DISPATCHED
from schedulers.errors import SchedulerUnavailable
from schedulers.protocol import Accepted, Feature, Refused, Submission, SubmitOutcome, Uncertain

log = structlog.get_logger()

BATCH = 128
_BATCHES = 8
"""In one step: what is done between two steps need not wait for the end of a long queue."""
_CLAIM = timedelta(seconds=60)
_FRESH = timedelta(seconds=10)
"""So old a claim may be when its jobs are sent; schedulers/slurm/submit_jobs.py counts on it."""
NO_ACCOUNT = "NoClusterAccount"
"""Why a job is refused whose person has no account on the cluster any more."""
_UNREADABLE = "The portal cannot read this job any more. Please submit it again."


@dataclass(frozen=True, slots=True)
class _Batch:
    """Jobs that were claimed together."""

    claimed: Sequence[Claimed]
    claimed_at: datetime
    problems: Mapping[UUID, SubmitOutcome]
    """Of those whose inputs could not be written."""

    @property
    def is_full(self) -> bool:
        return len(self.claimed) == BATCH

    @property
    def origins(self) -> dict[UUID, Origin]:
        return {claim.submission.job_id: claim.origin for claim in self.claimed}


async def dispatch_once(context: ControllerContext, stop: asyncio.Event | None = None) -> bool:
    """Hand over some batches, in the order of their jobs; True when there may be more.

    After `stop` no more jobs are claimed, and those that are still go.

    Raises:
        LeaseLost: another controller is active; nothing was written.
    """
    try:
        async with asyncio.TaskGroup() as group:
            return await _dispatch(context, group, stop or asyncio.Event())
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from None


async def _dispatch(context: ControllerContext, group: asyncio.TaskGroup, stop: asyncio.Event) -> bool:
    batch = await _take(context)
    for left in reversed(range(_BATCHES)):
        if not batch.claimed:
            break
        goes_on = left and batch.is_full and not stop.is_set()
        ahead = group.create_task(_take(context)) if goes_on else None
        try:
            outcomes = await _submit(context, batch)
        except SchedulerUnavailable as error:
            name = context.scheduler.name
            log.warning("dispatch.scheduler_unavailable", scheduler=name, problem=str(error))
            for unsent in (batch, await ahead) if ahead else (batch,):
                await _give_back(context, unsent)
            return False
        group.create_task(_record(context, batch, outcomes))
        if ahead is None:
            break
        batch = await ahead
    return batch.is_full


async def _take(context: ControllerContext) -> _Batch:
    """Claim what is due, and write the inputs of those jobs that were never sent."""
    claimed_at = context.clock.now()
    claimed = await context.write(lambda connection: _claim(connection, context))
    new = [claim.submission for claim in claimed if claim.is_new]
    return _Batch(claimed, claimed_at, await asyncio.to_thread(_prepare_workspaces, context, new))


async def _record(context: ControllerContext, batch: _Batch, outcomes: Sequence[Outcome]) -> None:
    there = await context.write(
        lambda connection: record_outcomes(connection, context, batch.claimed, outcomes)
    )
    context.tracked.add(there)
    _count(context, batch, outcomes)


def _count(context: ControllerContext, batch: _Batch, outcomes: Sequence[Outcome]) -> None:
    """Tell Prometheus and the log; from here on the log knows a job by its cluster's number, too."""
    cluster, now = context.scheduler.name, context.clock.now()
    sent = {}
    for claim, outcome in zip(batch.claimed, outcomes, strict=True):
        JOBS_DISPATCHED.labels(cluster, type(outcome).__name__.lower()).inc()
        if isinstance(outcome, Accepted):
            job_id = claim.submission.job_id
            sent[str(job_id)] = outcome.scheduler_job_id
            DISPATCH_SECONDS.labels(cluster).observe((now - made_at(job_id)).total_seconds())
        if isinstance(outcome, Refused):
            log.info("dispatch.refused", job_id=str(claim.submission.job_id), **claim.origin.facts)
    if sent:
        origins = told_origins({job_id: one for job_id, one in batch.origins.items() if str(job_id) in sent})
        log.info("dispatch.sent", scheduler=cluster, jobs=sent, origins=origins)


async def _give_back(context: ControllerContext, batch: _Batch) -> None:
    await context.write(lambda connection: give_back(connection, batch.claimed, at=context.clock.now()))


async def take_over_claims(context: ControllerContext) -> None:
    """What the controller before us had claimed is looked for at once, whatever its clock said.

    It may still be sending, and its requests may be on their way: the scheduler says Uncertain for as long.
    """
    held = (
        update(Job)
        .where(
            col(Job.scheduler) == context.scheduler.name,
            col(Job.phase) == Phase.DISPATCHING,
            col(Job.claimed_until).is_not(None),
        )
        .values(claim_token=None, claimed_until=None)
    )
    await context.write(lambda connection: connection.execute(held))


def _claim(connection: Connection, context: ControllerContext) -> list[Claimed]:
    now, token = context.clock.now(), uuid4()
    due = (
        select(col(Job.id), col(Job.phase))
        .where(
            col(Job.scheduler) == context.scheduler.name,
            col(Job.phase).in_([Phase.ACCEPTED, Phase.DISPATCHING]),
            col(Job.waits_for_jobs).is_(False),
            or_(
                col(Job.phase) == Phase.DISPATCHING,
                and_(
                    col(Job.cancel_requested_at).is_(None),
                    col(Job.held_by).is_(None),
                    col(Job.project_id).not_in(STOPPED_PROJECTS),
                ),
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
        .values(
            phase=Phase.DISPATCHING,
            claim_token=token,
            claimed_until=now + _CLAIM,
            not_before=None,
            cluster_user=case((col(Job.phase) == Phase.ACCEPTED, PRESENT_USER), else_=col(Job.cluster_user)),
        )
    )
    claimed: list[Claimed] = []
    for row in connection.execute(SUBMISSIONS.where(col(Job.id).in_(list(phases))).order_by(col(Job.id))):
        was_claimed = phases[row.id] is Phase.DISPATCHING
        try:
            submission = submission_of(row, context)
        except ValueError:  # written by a version of the portal that allowed more, or less
            log.exception("dispatch.unreadable_job", job_id=str(row.id))
            if not was_claimed and refuse(connection, row.id, token, _UNREADABLE, at=now):
                refused = Event(row.id, row.project_id, "job.refused", {"reason": _UNREADABLE})
                events.record(connection, [refused], at=now)
            continue
        claimed.append(
            Claimed(
                submission,
                project_id=row.project_id,
                token=token,
                maybe_there=was_claimed,
                is_unwanted=row.cancel_requested_at is not None,
                sent_as=row.sent_as or submission.cluster_user,
                decided=_decide(row, context),
                origin=origin_of(row),
            )
        )
    return _with_dependencies(connection, context, claimed)


def _decide(row: AnyRow, context: ControllerContext) -> Outcome | None:
    """What becomes of a job whose person or budget the cluster does not know."""
    if context.needs_accounts and row.account_user is None:
        return Refused(NO_ACCOUNT)
    return None if is_budget_in_force(row, context) else WaitsForBudget()


def _with_dependencies(
    connection: Connection, context: ControllerContext, claimed: Sequence[Claimed]
) -> list[Claimed]:
    """The same, with what each job still has to wait for; others may have ended since it was let go."""
    if Feature.KEEPS_DEPENDENCIES not in context.scheduler.features:
        return list(claimed)
    others = find_others(connection, [claim.submission.spec.dependencies for claim in claimed])
    return [_with_its_dependencies(claim, others, context) for claim in claimed]


def _with_its_dependencies(
    claim: Claimed, others: Mapping[UUID, Other], context: ControllerContext
) -> Claimed:
    dependencies = claim.submission.spec.dependencies
    if claim.decided or not dependencies:
        return claim
    match answer(dependencies, others):
        case Answer.GO:
            return claim
        case Answer.NEVER:
            return replace(claim, decided=NeverSent(NEVER))
        case Answer.WAIT:
            left = hand_over(dependencies, others, context)
            if left is None:
                return replace(claim, decided=WaitsAgain())
            return replace(claim, submission=replace(claim.submission, dependencies=left))


async def _submit(context: ControllerContext, batch: _Batch) -> list[Outcome]:
    """One outcome for each claimed job, in order; jobs that the scheduler already has are not sent again."""
    claimed = batch.claimed
    suspects = {one.submission.job_id: one.sent_as for one in claimed if one.maybe_there}
    outcomes: dict[UUID, Outcome] = {
        claim.submission.job_id: NeverSent() for claim in claimed if claim.is_unwanted
    }
    outcomes |= {
        claim.submission.job_id: claim.decided for claim in claimed if claim.decided and not claim.is_unwanted
    }
    outcomes |= {
        claim.submission.job_id: SentAnew()
        for claim in claimed
        if claim.submission.job_id not in outcomes and claim.sent_as != claim.submission.cluster_user
    }
    outcomes |= batch.problems
    if suspects:
        found = await _look_for(context, suspects, is_alone=len(suspects) == len(claimed))
        _tell_found(context, batch, found)
        outcomes |= found
        lost = suspects.keys() - outcomes.keys()
        again = [claim.submission for claim in claimed if claim.submission.job_id in lost]
        outcomes |= await asyncio.to_thread(_prepare_workspaces, context, again)
    ready = [claim.submission for claim in claimed if claim.submission.job_id not in outcomes]
    if ready and context.clock.now() - batch.claimed_at > _FRESH:
        await context.write(lambda connection: _renew(connection, claimed, context.clock.now() + _CLAIM))
    outcomes |= await _send(context, batch, ready) if ready else {}
    return [outcomes[claim.submission.job_id] for claim in claimed]


async def _send(
    context: ControllerContext, batch: _Batch, ready: Sequence[Submission]
) -> dict[UUID, SubmitOutcome]:
    """Each in the trace of the request that submitted it."""
    cluster = context.scheduler.name
    sending = Sending(ready, batch.origins, cluster=cluster, claimed_at=batch.claimed_at)
    outcomes = await context.scheduler.submit(sending.submissions)
    answers = {submission.job_id: answer for submission, answer in zip(ready, outcomes, strict=True)}
    sending.ended(answers)
    return answers


def _tell_found(context: ControllerContext, batch: _Batch, found: Mapping[UUID, SubmitOutcome]) -> None:
    there = {job_id for job_id, outcome in found.items() if isinstance(outcome, Accepted)}
    tell_found(
        {job_id: origin for job_id, origin in batch.origins.items() if job_id in there},
        cluster=context.scheduler.name,
        claimed_at=batch.claimed_at,
        found_at=context.clock.now(),
    )


def _renew(connection: Connection, claimed: Sequence[Claimed], until: datetime) -> None:
    """To look and to prepare took long: nobody else may take these jobs over while they are sent."""
    connection.execute(
        update(Job)
        .where(
            col(Job.id).in_([claim.submission.job_id for claim in claimed]),
            col(Job.claim_token) == claimed[0].token,
        )
        .values(claimed_until=until)
    )


async def _look_for(
    context: ControllerContext, suspects: Mapping[UUID, str], *, is_alone: bool
) -> Mapping[UUID, SubmitOutcome]:
    """Those that the scheduler has. While it cannot say, they wait; jobs that were never sent need not."""
    try:
        return await context.scheduler.find(suspects)
    except SchedulerUnavailable as problem:
        if is_alone:
            raise
        return {job_id: Uncertain(str(problem)) for job_id in suspects}


def _prepare_workspaces(
    context: ControllerContext, submissions: Sequence[Submission]
) -> dict[UUID, SubmitOutcome]:
    """Write each job's inputs; a job whose inputs cannot be written waits as Uncertain and is tried again."""
    problems: dict[UUID, SubmitOutcome] = {}
    for submission in submissions:
        relative = submission.workspace.removeprefix(f"{context.workspace_root}/")
        try:
            owner = submission.cluster_uid if context.needs_accounts else None
            prepare_workspace(context.workspace_root, relative, submission.spec, owner=owner)
            let_job_pass(context.workspace_root, submission)
        except OSError as error:
            log.warning("dispatch.workspace_failed", job_id=str(submission.job_id), problem=str(error))
            problems[submission.job_id] = Uncertain("WorkspaceUnavailable")
    return problems
