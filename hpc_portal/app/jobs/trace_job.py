"""What a job's trace and the controller's log tell of it after it was submitted: dispatched, ended, settled.

A step of the controller serves many jobs; each has a span of its own, in the trace of its request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog

from hpc_portal.app.jobs.origin import Origin, told_origins
from hpc_portal.app.telemetry import spans
from hpc_portal.app.telemetry.spans import Facts, OpenSpan
from schedulers.jobstate import JobState
from schedulers.protocol import Accepted, Submission, SubmitOutcome

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Open:
    """The spans of one job that is being sent."""

    dispatch: OpenSpan
    submit: OpenSpan


class Sending:
    """Jobs on their way to the scheduler; without `ended` nothing of it is told."""

    def __init__(
        self,
        submissions: Sequence[Submission],
        origins: Mapping[UUID, Origin],
        *,
        cluster: str,
        claimed_at: datetime,
    ) -> None:
        self._open: dict[UUID, _Open] = {}
        for submission in submissions:
            job_id = submission.job_id
            facts = {"hpc.job.id": str(job_id), "hpc.cluster": cluster}
            below = origins[job_id].traceparent
            dispatch = spans.begin("job.dispatch", below=below, at=claimed_at, facts=facts)
            if dispatch is None:
                continue
            submit = spans.begin("scheduler.submit", below=dispatch.traceparent, facts=facts, is_call=True)
            if submit is not None:
                self._open[job_id] = _Open(dispatch, submit)
        self.submissions = [self._with_trace(submission) for submission in submissions]
        """The same, with the place in its trace that the scheduler's own work belongs to."""

    def _with_trace(self, submission: Submission) -> Submission:
        found = self._open.get(submission.job_id)
        return replace(submission, traceparent=found.submit.traceparent) if found else submission

    def ended(self, answers: Mapping[UUID, SubmitOutcome]) -> None:
        """The scheduler answered."""
        for job_id, found in self._open.items():
            answer = answers[job_id]
            kind = type(answer).__name__
            error = "" if isinstance(answer, Accepted) else kind
            found.submit.end(error=error)
            found.dispatch.end({"hpc.dispatch.outcome": kind.lower()}, error=error)


def tell_found(
    found: Mapping[UUID, Origin], *, cluster: str, claimed_at: datetime, found_at: datetime
) -> None:
    """The scheduler had these already, of a step whose end nobody saw."""
    for job_id, origin in found.items():
        spans.record(
            "job.dispatch",
            below=origin.traceparent,
            during=(claimed_at, found_at),
            facts={
                "hpc.job.id": str(job_id),
                "hpc.cluster": cluster,
                "hpc.dispatch.outcome": "accepted",
                "hpc.dispatch.was_there": True,
            },
        )


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job of which everything has ended, as it was written down."""

    job_id: UUID
    origin: Origin
    state: JobState
    tasks: int
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime


def tell_ended(jobs: Sequence[EndedJob], *, cluster: str) -> None:
    """How long each waited, and ran; all the tasks of an array are one span."""
    for job in jobs:
        facts: Facts = {"hpc.job.id": str(job.job_id), "hpc.cluster": cluster, "hpc.job.tasks": job.tasks}
        below, until = job.origin.traceparent, job.started_at or job.ended_at
        spans.record("job.wait", below=below, during=(job.submitted_at, until), facts=facts)
        if job.started_at:
            facts = {**facts, "hpc.job.state": job.state.value}
            error = "" if job.state is JobState.COMPLETED else job.state.value
            during = job.started_at, job.ended_at
            spans.record("job.run", below=below, during=during, facts=facts, error=error)
    if jobs:
        states = {str(job.job_id): job.state for job in jobs}
        origins = told_origins({job.job_id: job.origin for job in jobs})
        log.info("track.ended", scheduler=cluster, jobs=states, origins=origins)


@dataclass(frozen=True, slots=True)
class SettledJob:
    """A job that was closed."""

    job_id: UUID
    origin: Origin
    ended_at: datetime
    settled_at: datetime


def tell_settled(jobs: Iterable[SettledJob], *, cluster: str) -> None:
    """What it used is charged, and the rest of its hold given back."""
    origins = {}
    for job in jobs:
        origins[job.job_id] = job.origin
        spans.record(
            "job.settle",
            below=job.origin.traceparent,
            during=(job.ended_at, job.settled_at),
            facts={"hpc.job.id": str(job.job_id), "hpc.cluster": cluster},
        )
    if origins:
        jobs_told = sorted(map(str, origins))
        log.info("settle.closed", scheduler=cluster, jobs=jobs_told, origins=told_origins(origins))
