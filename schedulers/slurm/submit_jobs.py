"""Hands jobs to Slurm, several at once and each exactly once, as the cluster user they belong to."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

import structlog

from schedulers.errors import SchedulerError, SchedulerRefused, SchedulerUnavailable, SubmitUncertain
from schedulers.protocol import Accepted, Refused, Submission, SubmitOutcome, Uncertain
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.translate import job_request

log = structlog.get_logger()

QUIET_SECONDS = 30.0
"""How long a request without an answer may still be on its way to slurmctld, so that nobody can say yet that
it does not have the job."""
SEND_SECONDS = 15.0
"""Jobs of a batch that could not be sent within this time are sent with a later one: a controller that slept,
or that waits for a slow cluster, must not send what another one has taken over by then."""
LATE_SECONDS = 10.0 + SEND_SECONDS
"""How long a controller that lost its lease may still send what it had claimed: ten seconds after the claim
it asks for its right once more."""
AT_ONCE = 4
"""So many requests keep slurmctld busy, which takes one job after the other; with more it gets slower."""
_ANOTHER_USER = (
    "Slurm took the job for the user %(actual)s instead of %(asked)s: the cluster does not know that user. "
    "The job was cancelled."
)
_TOOK_TOO_LONG = "Slurm took long to accept the jobs before this one; it is sent with the next ones"


class Submitter:
    """Remembers what Slurm has accepted, so that a repeat is answered without asking."""

    def __init__(  # noqa: PLR0913 - see SlurmScheduler
        self,
        client: SlurmClient,
        *,
        at_once: int = AT_ONCE,
        quiet_seconds: float = QUIET_SECONDS,
        send_seconds: float = SEND_SECONDS,
        late_seconds: float | None = LATE_SECONDS,
        request_of: Callable[[Submission], dict[str, object]] = job_request,
    ) -> None:
        self.accepted: dict[UUID, str] = {}
        self._client = client
        self._slots = asyncio.Semaphore(at_once)
        self._quiet_seconds = quiet_seconds
        self._send_seconds = send_seconds
        self._request_of = request_of
        self.never_sent: set[UUID] = set()
        """Tried, and Slurm was out of reach: nobody needs to look for these."""
        self._others_until = None if late_seconds is None else time.monotonic() + late_seconds
        """When whoever was active before us sends nothing more."""
        self._unanswered: dict[UUID, float] = {}
        """When the answer of a request got lost, or at the latest did."""
        self._missed: set[UUID] = set()
        """Of these, those that were looked for once."""
        self._users: dict[str, asyncio.Lock] = {}
        self._checked_users: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether more jobs wait to be sent than go at once."""
        return self._slots.locked()

    def maybe_under_way(self, job_id: UUID) -> bool:
        """Whether a request for this job may still reach slurmctld."""
        return time.monotonic() - self._unanswered.get(job_id, -self._quiet_seconds) < self._quiet_seconds

    def may_still_come(self, missing: AbstractSet[UUID]) -> bool:
        """Whether one of these jobs, which a look just did not find, may still reach slurmctld.

        Of a job that we know nothing of, whoever was active before us may have sent a request as late as it
        could. After an answer got lost a job must be missed twice: a slurmctld that hung works off what had
        come to it by then in any order, and may answer the look before it takes the job.
        """
        if self._others_until is not None:
            self._unanswered = dict.fromkeys(missing, self._others_until) | self._unanswered
        if any(map(self.maybe_under_way, missing)):
            return True
        once = (missing & self._unanswered.keys()) - self._missed
        self._missed |= once
        return bool(once)

    def accept(self, job_id: UUID, scheduler_job_id: str) -> None:
        """Slurm has this job."""
        self.accepted[job_id] = scheduler_job_id
        self._unanswered.pop(job_id, None)
        self._missed.discard(job_id)

    def forget(self, scheduler_job_ids: Collection[str]) -> None:
        """These ended for good."""
        self.accepted = {
            job_id: known for job_id, known in self.accepted.items() if known not in scheduler_job_ids
        }

    async def submit(self, submissions: Sequence[Submission]) -> list[SubmitOutcome]:
        """One outcome each, in order.

        A job that was accepted before is accepted again with the same number. Nothing is looked up here:
        after a crash, or an Uncertain, `find` comes first.

        Raises:
            SchedulerUnavailable: nothing was sent.
        """
        once = {submission.job_id: submission for submission in submissions}
        until = time.monotonic() + self._send_seconds
        answers = await asyncio.gather(*(self._submit_one(one, until) for one in once.values()))
        unsent = [answer for answer in answers if isinstance(answer, SchedulerUnavailable)]
        if unsent and len(unsent) == len(answers):
            raise unsent[0]
        outcomes = {
            # It was not sent, but others were: so it is looked for before all are submitted again.
            job_id: Uncertain(str(answer)) if isinstance(answer, SchedulerUnavailable) else answer
            for job_id, answer in zip(once, answers, strict=True)
        }
        return [outcomes[submission.job_id] for submission in submissions]

    async def _submit_one(self, submission: Submission, until: float) -> SubmitOutcome | SchedulerUnavailable:
        job_id = submission.job_id
        self.never_sent.discard(job_id)
        if known := self.accepted.get(job_id):
            return Accepted(known)
        if self.maybe_under_way(job_id):
            return Uncertain("an earlier request may still reach the scheduler")
        try:
            return await self._send_in_turn(submission, until)
        except SchedulerRefused as no:
            return Refused(_with_facts(no.reason, submission))
        except SubmitUncertain as problem:
            self._unanswered[job_id] = time.monotonic()
            self._missed.discard(job_id)
            return Uncertain(str(problem))
        except asyncio.CancelledError:  # nobody waits for the answer any more, and Slurm may take the job
            self._unanswered[job_id] = time.monotonic()
            self._missed.discard(job_id)
            raise
        except SchedulerUnavailable as problem:
            self.never_sent.add(job_id)
            return problem

    async def _send_in_turn(self, submission: Submission, until: float) -> SubmitOutcome:
        user = submission.cluster_user
        if user not in self._checked_users:
            async with self._users.setdefault(user, asyncio.Lock()):
                if user not in self._checked_users:
                    return await self._send_and_check(submission, until)
        async with self._slots:
            return await self._send(submission, until)

    async def _send(self, submission: Submission, until: float) -> Accepted:
        if time.monotonic() > until:
            raise SchedulerUnavailable(_TOOK_TOO_LONG)
        done = await self._client.submit(
            self._request_of(submission), user=submission.cluster_user, traceparent=submission.traceparent
        )
        if done.warnings:
            log.info("slurm.submit_warnings", job_id=str(submission.job_id), warnings=done.warnings)
        self.accept(submission.job_id, str(done.job_id))
        return Accepted(str(done.job_id))

    async def _send_and_check(self, submission: Submission, until: float) -> SubmitOutcome:
        """The first job of a user shows whether Slurm knows them: those of others it takes for `nobody`.

        Whatever goes wrong after it was accepted, Slurm has the job: it is no longer one that was never sent.
        """
        accepted = await self._send(submission, until)
        user = submission.cluster_user
        try:
            records = await self._client.job(accepted.scheduler_job_id)
        except SchedulerError:
            return accepted  # the job is there; the user's next one is checked
        actual = records[0].user_name if records else user
        if actual == user:
            self._checked_users.add(user)
            return accepted
        try:
            await self._client.cancel([accepted.scheduler_job_id], user=None)
        except SchedulerError as problem:
            log.warning("slurm.stray_not_cancelled", job=accepted.scheduler_job_id, problem=str(problem))
            return accepted
        del self.accepted[submission.job_id]
        return Refused(_ANOTHER_USER % {"actual": actual, "asked": user})


def _with_facts(reason: str, submission: Submission) -> str:
    """Slurm's own words, and what it was asked for, since it names neither partition nor account."""
    spec = submission.spec
    named = {
        "partition": spec.partition,
        "account": spec.account or submission.project,
        "QOS": spec.qos,
        "user": submission.cluster_user,
    }
    return f"{reason} ({', '.join(f'{name} {value}' for name, value in named.items() if value)})"
