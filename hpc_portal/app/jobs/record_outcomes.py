"""Record what became of claimed jobs, each only while its claim is still ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from sqlalchemy import Connection, bindparam, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.lock_jobs import lock_jobs
from hpc_portal.app.jobs.origin import NO_ORIGIN, Origin
from hpc_portal.app.mirror.in_force import NOT_IN_FORCE
from hpc_portal.app.tables import Job
from quotas.release import close_hold
from schedulers.jobstate import JobState
from schedulers.protocol import Accepted, JobRef, Refused, Submission, SubmitOutcome, Uncertain
from schedulers.reasons import is_known

_BACKOFF = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this step may send."""

    submission: Submission
    project_id: UUID
    token: UUID
    maybe_there: bool
    """It was claimed before, by a step that did not finish: the scheduler may have it."""
    is_unwanted: bool
    """Its cancellation was asked for meanwhile."""
    sent_as: str = ""
    """The cluster user that the scheduler has it of, if it has it: not always the person's present one."""
    decided: "Outcome | None" = None
    """What becomes of it, unless the scheduler has it already; None: it is submitted."""
    origin: Origin = NO_ORIGIN

    @property
    def is_new(self) -> bool:
        """It was never sent, and is to be."""
        return not (self.maybe_there or self.is_unwanted or self.decided)


@dataclass(frozen=True, slots=True)
class NeverSent:
    """Cancelled, and the scheduler does not have it: there is nothing to submit."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class WaitsAgain:
    """It waits for jobs that the scheduler cannot wait for."""


@dataclass(frozen=True, slots=True)
class WaitsForBudget:
    """The cluster does not know its budget yet, and the scheduler does not have it."""


@dataclass(frozen=True, slots=True)
class SentAnew:
    """The scheduler does not have it of the user it was sent as; its person has another one by now."""


Outcome: TypeAlias = SubmitOutcome | NeverSent | WaitsAgain | WaitsForBudget | SentAnew


def give_back(connection: Connection, claimed: Sequence[Claimed], *, at: datetime) -> None:
    """Nothing was sent: back to where each job was, to be tried again a little later."""
    for phase, group in (
        (Phase.DISPATCHING, [claim for claim in claimed if claim.maybe_there]),
        (Phase.ACCEPTED, [claim for claim in claimed if not claim.maybe_there]),
    ):
        _put_back(connection, group, phase, "SchedulerUnavailable", until=at + _BACKOFF)


def _put_back(
    connection: Connection, claimed: Sequence[Claimed], phase: Phase, reason: str, *, until: datetime
) -> None:
    """End a claim: these are to be claimed again after `until`."""
    if not claimed:
        return
    connection.execute(
        update(Job)
        .where(
            col(Job.id).in_([claim.submission.job_id for claim in claimed]),
            col(Job.claim_token) == claimed[0].token,
        )
        .values(phase=phase, claim_token=None, claimed_until=None, not_before=until, state_reason=reason)
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


def record_outcomes(
    connection: Connection,
    context: ControllerContext,
    claimed: Sequence[Claimed],
    outcomes: Sequence[Outcome],
) -> dict[UUID, JobRef]:
    """Write what the scheduler answered, for jobs whose claim is still ours; those that it has."""
    now = context.clock.now()
    if any(isinstance(outcome, Refused) for outcome in outcomes):
        lock_jobs(connection, col(Job.id).in_([claim.submission.job_id for claim in claimed]))
        events.take_turns(connection)
    told: list[Event] = []
    accepted: list[dict[str, Any]] = []
    there: dict[UUID, JobRef] = {}
    for claim, outcome in zip(claimed, outcomes, strict=True):
        if isinstance(outcome, Accepted):
            facts = {"scheduler_job_id": outcome.scheduler_job_id}
            job_id = claim.submission.job_id
            there[job_id] = JobRef(job_id, outcome.scheduler_job_id, claim.sent_as, now)
            accepted.append(
                {
                    "job": job_id,
                    "token": claim.token,
                    "scheduler_id": outcome.scheduler_job_id,
                    "now": now,
                }
            )
            told.append(Event(job_id, claim.project_id, "job.dispatched", facts))
        else:
            told += _apply_other(connection, context, claim, outcome, at=now)
    if accepted:
        connection.execute(_TRACKED, accepted)
    events.record(connection, told, at=now)
    return there


def _apply_other(
    connection: Connection,
    context: ControllerContext,
    claim: Claimed,
    outcome: Refused | Uncertain | NeverSent | WaitsAgain | WaitsForBudget | SentAnew,
    *,
    at: datetime,
) -> list[Event]:
    """Write what became of a job that the scheduler does not have, as far as is known; what is to be told."""
    job_id = claim.submission.job_id
    match outcome:
        case Refused(reason):
            if refuse(connection, job_id, claim.token, reason, at=at):
                return [Event(job_id, claim.project_id, "job.refused", {"reason": reason})]
        case NeverSent(reason):
            if _end_unsent(connection, claim, reason, at=at):
                facts = {"state": JobState.CANCELLED, "reason": reason}
                return [Event(job_id, claim.project_id, "job.state", facts)]
        case WaitsAgain():
            _hold_back(connection, claim)
        case WaitsForBudget():
            context.said.warn(job_id, "dispatch.budget_not_in_force", job_id=str(job_id))
            _put_back(connection, [claim], Phase.ACCEPTED, NOT_IN_FORCE, until=at + _BACKOFF)
        case SentAnew():
            _put_back(connection, [claim], Phase.ACCEPTED, "", until=at)
        case Uncertain(problem):
            context.said.warn(job_id, "dispatch.uncertain", job_id=str(job_id), problem=problem)
            _wait(connection, claim, problem, until=at + _BACKOFF)
        case _:
            assert_never(outcome)
    return []


def refuse(connection: Connection, job_id: UUID, token: UUID, reason: str, *, at: datetime) -> bool:
    """Refuse a claimed job for good and give its budget back; False when the claim is not ours any more."""
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


def _end_unsent(connection: Connection, claim: Claimed, reason: str, *, at: datetime) -> bool:
    """End a job that no scheduler has; its budget is released when it is settled."""
    ended = connection.execute(
        update(Job)
        .where(col(Job.id) == claim.submission.job_id, col(Job.claim_token) == claim.token)
        .values(
            phase=Phase.ENDED,
            state=JobState.CANCELLED,
            state_reason=reason,
            ended_at=at,
            tasks_cancelled=col(Job.tasks_total),
            claim_token=None,
            claimed_until=None,
        )
    )
    return bool(ended.rowcount)


def _hold_back(connection: Connection, claim: Claimed) -> None:
    """The scheduler does not have it: back to those that wait for others."""
    connection.execute(
        update(Job)
        .where(col(Job.id) == claim.submission.job_id, col(Job.claim_token) == claim.token)
        .values(
            phase=Phase.ACCEPTED,
            waits_for_jobs=True,
            state_reason="Dependency",
            claim_token=None,
            claimed_until=None,
        )
    )


def _wait(connection: Connection, claim: Claimed, problem: str, *, until: datetime) -> None:
    """Stay DISPATCHING, to be looked for before it is sent again. A problem's details stay in the log."""
    reason = problem if is_known(problem) else "SchedulerUnavailable"
    _put_back(connection, [claim], Phase.DISPATCHING, reason, until=until)
