"""Slurm behind slurmrestd as a Scheduler (schedulers/protocol.py)."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from schedulers.cluster import ClusterSnapshot
from schedulers.errors import SchedulerRefused, SchedulerUnavailable
from schedulers.jobstate import JobUsage
from schedulers.protocol import (
    Accepted,
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    Feature,
    Observation,
    Submission,
    SubmitOutcome,
    Uncertain,
)
from schedulers.slurm.change_jobs import Changer
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.find_jobs import Found, find_jobs
from schedulers.slurm.follow_jobs import Book
from schedulers.slurm.observe_jobs import Observer
from schedulers.slurm.read_jobs import Owner, read_past
from schedulers.slurm.submit_jobs import QUIET_SECONDS, Submitter
from schedulers.slurm.survey_cluster import survey

log = structlog.get_logger()

POLL_SECONDS = 2.0
LOOKBACK = timedelta(days=31)
"""How far back slurmdbd is asked for jobs that slurmctld has dropped."""
_MOST_FORGOTTEN = 100_000


class SlurmScheduler:
    """One Slurm cluster. What is remembered here can be read from Slurm again: nothing is lost with it.

    Args:
        name: of the cluster, as stored with each job.
        client: of its slurmrestd; its polling identity must be allowed to see everybody's jobs.
        admin_user: an operator of the cluster, for changes that users may not make themselves.
        default_partition: for API versions that do not tell it.
        runtime_paths: folders on the nodes whose `bin` comes first in every job's PATH.
        poll_seconds: between two looks.
        lookback: the age at which a job in slurmdbd is none of ours any more.
        quiet_seconds: how long a request without an answer may still reach slurmctld.
    """

    def __init__(  # noqa: PLR0913 - one named option for each thing a site may choose
        self,
        name: str,
        client: SlurmClient,
        *,
        admin_user: str | None = None,
        default_partition: str | None = None,
        runtime_paths: Sequence[str] = (),
        poll_seconds: float = POLL_SECONDS,
        lookback: timedelta = LOOKBACK,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._name = name
        self._client = client
        self._default_partition = default_partition
        self._poll_seconds = poll_seconds
        self._lookback = lookback
        self._submitter = Submitter(client, quiet_seconds=quiet_seconds, runtime_paths=runtime_paths)
        self._book = Book()
        self._observer = Observer(client, self._book, lookback=lookback)
        self._changer = Changer(client, admin_user)
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        """Ended for good as far as the portal is concerned; Slurm remembers them for longer."""

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    @property
    def features(self) -> frozenset[Feature]:
        """Slurm keeps dependencies itself. It is polled, and slurmdbd meters with some delay."""
        return frozenset({Feature.KEEPS_DEPENDENCIES})

    async def start(self) -> None:
        """See whether Slurm answers. There is nothing to recover: Slurm knows its jobs."""
        version = await self._client.ping()
        log.info("slurm.connected", cluster=version.cluster, release=version.release, api=version.api)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        """Hand jobs over as their cluster users, several at once."""
        self._observer.expect()
        outcomes = await self._submitter.submit(submissions)
        for submission in submissions:
            if known := self._submitter.accepted.get(submission.job_id):
                self._expect(submission.job_id, known, submission.cluster_user)
        self._observer.expect()
        return outcomes

    async def find(self, users: Mapping[UUID, str]) -> Mapping[UUID, Accepted | Uncertain]:
        """Jobs that Slurm has or had, by the key in their comment and the user whom they belong to.

        Raises:
            SchedulerUnavailable: slurmctld or slurmdbd did not answer, or a request for one of these jobs may
                still be on its way: it cannot be said yet that a job is not there.
        """
        accepted = self._submitter.accepted
        known: dict[UUID, Accepted | Uncertain] = {
            job_id: Accepted(accepted[job_id]) for job_id in users if job_id in accepted
        }
        unknown = users.keys() - known.keys() - self._submitter.never_sent
        if not unknown:
            return known
        wanted = {job_id: users[job_id] for job_id in unknown}
        for job_id, jobs in (await find_jobs(self._client, wanted, lookback=self._lookback)).items():
            if outcome := await self._judge(job_id, users[job_id], jobs):
                known[job_id] = outcome
        if self._submitter.may_still_come(unknown - known.keys()):
            message = "the answer to a request got lost, and it may still reach the scheduler"
            raise SchedulerUnavailable(message)
        return known

    async def cancel(self, scheduler_job_ids: Collection[str]) -> None:
        """Cancel jobs as their own users. What runs gets SIGTERM, and SIGKILL after the site's KillWait."""
        by_user: dict[str, list[str]] = defaultdict(list)
        numbers = list(self._numbers(scheduler_job_ids))
        for job_id, user in zip(numbers, await asyncio.gather(*map(self._user_of, numbers)), strict=True):
            if user:
                by_user[user].append(job_id)
        self._observer.expect()
        await asyncio.gather(*(self._cancel_as(user, job_ids) for user, job_ids in by_user.items()))
        self._observer.expect()

    async def change(self, requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        """Change jobs one by one."""
        self._observer.expect()
        outcomes = []
        for request in requests:
            owner = self._book.owner_of(request.scheduler_job_id)
            outcome = await self._changer.change(request, owner)
            outcomes.append(outcome)
            if isinstance(request.change, CancelTasks) and isinstance(outcome, Carried):
                self._book.expect_cancelled(
                    request.scheduler_job_id, request.change.tasks, at=datetime.now(UTC)
                )
        self._observer.expect()
        return outcomes

    async def observe(self, scheduler_job_ids: Collection[str], *, since: int | None = None) -> Observation:
        """Look at Slurm and tell; see observe_jobs.py for what a look costs."""
        followed = [job_id for job_id in self._numbers(scheduler_job_ids) if job_id not in self._forgotten]
        await self._observer.look(followed)
        return self._book.observe(followed, since=since)

    async def forget(self, scheduler_job_ids: Collection[str]) -> None:
        """Drop what is remembered of them; Slurm has them for as long as it likes."""
        gone = set(self._numbers(scheduler_job_ids))
        self._book.forget(gone)
        self._forgotten.update(dict.fromkeys(gone))
        while len(self._forgotten) > _MOST_FORGOTTEN:
            self._forgotten.popitem(last=False)
        self._submitter.forget(gone)

    async def wait_for_change(self, timeout_seconds: float) -> bool:
        """Slurm does not tell: wait until the next look is due."""
        await asyncio.sleep(min(timeout_seconds, self._poll_seconds))
        return timeout_seconds >= self._poll_seconds

    async def usage(self, jobs: Mapping[str, UUID]) -> Mapping[tuple[str, int, int], JobUsage]:
        """What slurmdbd has accounted; the ends that it has not heard of are left out."""
        accounted = await self._observer.accounted(sorted(self._numbers(jobs)))
        return {
            (past.job_id, past.run.task_index, past.run.attempt): past.run.usage
            for past in read_past(accounted, keys=jobs)
            if past.run is not None and past.run.usage is not None
        }

    async def cluster(self) -> ClusterSnapshot:
        """Everything that slurmctld shows of the cluster."""
        nodes, partitions, licenses, reservations = await asyncio.gather(
            self._client.nodes(),
            self._client.partitions(),
            self._client.licenses(),
            self._client.reservations(),
        )
        return survey(
            self._name,
            as_of=datetime.now(UTC),
            nodes=nodes,
            partitions=partitions,
            licenses=licenses,
            reservations=reservations,
            default_partition=self._default_partition,
        )

    async def _judge(self, job_id: UUID, user: str, jobs: Iterable[Found]) -> Accepted | Uncertain | None:
        """Which of the jobs that carry its key is this job; None when all of them are over and forgotten.

        Another user's is somebody's who knows the key, or this one from before its person's cluster user was
        changed. Only people can tell: it is neither taken nor cancelled, and nothing is sent beside it.
        """
        alive = [job for job in jobs if job.scheduler_job_id not in self._forgotten]
        ours = [job for job in alive if job.user == user]
        foreign = {job.scheduler_job_id: job.user for job in alive if job.user != user}
        if foreign:
            log.error("slurm.key_of_another_user", job_id=str(job_id), expected_user=user, found=foreign)
        if ours:
            await self._cancel_duplicates(job_id, ours[1:])
            self._submitter.accept(job_id, ours[0].scheduler_job_id)
            self._expect(job_id, ours[0].scheduler_job_id, user)
            return Accepted(ours[0].scheduler_job_id)
        if foreign:
            return Uncertain(f"Slurm's jobs {foreign} carry its key, and none of them is of the user {user}")
        return None

    def _expect(self, job_id: UUID, scheduler_job_id: str, user: str) -> None:
        self._forgotten.pop(scheduler_job_id, None)
        self._book.expect(scheduler_job_id, Owner(job_id, user))

    @staticmethod
    def _numbers(scheduler_job_ids: Iterable[str]) -> Iterator[str]:
        """Without what cannot be one of Slurm's ids."""
        return (job_id for job_id in scheduler_job_ids if job_id.isdecimal())

    async def _user_of(self, job_id: str) -> str:
        """Whose job it is; "" when slurmctld does not have it (any more)."""
        if owner := self._book.owner_of(job_id):
            return owner.user
        records = await self._client.job(job_id)
        return records[0].user_name if records else ""

    async def _cancel_as(self, user: str, job_ids: list[str]) -> None:
        """As the user, who may cancel nobody else's: the number may have become another's meanwhile."""
        try:
            await self._client.cancel(job_ids, user=user)
        except SchedulerRefused as no:
            log.warning("slurm.cancel_refused", user=user, jobs=job_ids, reason=no.reason)

    async def _cancel_duplicates(self, job_id: UUID, others: Iterable[Found]) -> None:
        """One job is one job: what was submitted twice in spite of everything runs once."""
        for other in others:
            facts = {"job_id": str(job_id), "scheduler_job_id": other.scheduler_job_id}
            log.error("slurm.duplicate_cancelled", **facts)
            await self._cancel_as(other.user, [other.scheduler_job_id])
