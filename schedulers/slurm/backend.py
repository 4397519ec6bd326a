"""Slurm behind slurmrestd as a Scheduler (schedulers/protocol.py)."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from schedulers.cluster import ClusterSnapshot
from schedulers.errors import SchedulerRefused
from schedulers.jobstate import TaskSnapshot
from schedulers.protocol import (
    Accepted,
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    Feature,
    JobRef,
    Observation,
    RequeueJob,
    RunKey,
    Submission,
    SubmitOutcome,
    Uncertain,
)
from schedulers.slurm.change_jobs import Changer
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.find_jobs import Search, find_jobs
from schedulers.slurm.follow_jobs import Book
from schedulers.slurm.known_programs import away_from_lacking_nodes, with_missing_programs
from schedulers.slurm.observe_jobs import Observer
from schedulers.slurm.read_jobs import Owner, read_past
from schedulers.slurm.submit_jobs import LATE_SECONDS, QUIET_SECONDS, Submitter
from schedulers.slurm.survey_cluster import survey
from schedulers.slurm.translate import job_request
from schedulers.slurm.wire_accounting import AccountedJob

log = structlog.get_logger()

POLL_SECONDS = 2.0
LOOKBACK = timedelta(days=31)
"""How far back slurmdbd is asked for jobs that slurmctld has dropped."""
_MOST_FORGOTTEN = 100_000
UNREADABLE = "UnreadableRecord"
"""Why nobody can say whether Slurm has a job: a record of it is in a shape that we do not know."""


class SlurmScheduler:
    """One Slurm cluster. What is remembered here can be read from Slurm again: nothing is lost with it.

    Args:
        name: of the cluster, as stored with each job.
        client: of its slurmrestd; its polling identity must be allowed to see everybody's jobs.
        admin_user: an operator of the cluster, for changes that users may not make themselves.
        default_partition: for API versions that do not tell it.
        runtime_paths: folders on the nodes whose `bin` comes first in every job's PATH.
        takes_samples: whether each job notes beside its program what it uses, see sampler.py.
        programs: which commands jobs find there, by partition or feature of nodes; see known_programs.py.
        poll_seconds: between two looks.
        lookback: the age at which a job in slurmdbd is none of ours any more.
        quiet_seconds: how long a request without an answer may still reach slurmctld.
        late_seconds: how long whoever was active before may still send jobs; None: nobody was.
    """

    def __init__(  # noqa: PLR0913 - one named option for each thing a site may choose
        self,
        name: str,
        client: SlurmClient,
        *,
        admin_user: str | None = None,
        default_partition: str | None = None,
        runtime_paths: Sequence[str] = (),
        takes_samples: bool = True,
        programs: Mapping[str, Collection[str]] | None = None,
        poll_seconds: float = POLL_SECONDS,
        lookback: timedelta = LOOKBACK,
        quiet_seconds: float = QUIET_SECONDS,
        late_seconds: float | None = LATE_SECONDS,
    ) -> None:
        self._name = name
        self._client = client
        self._default_partition = default_partition
        self._programs = programs or {}
        self._surveyed: ClusterSnapshot | None = None
        self._poll_seconds = poll_seconds
        self._lookback = lookback
        request_of = partial(job_request, runtime_paths=runtime_paths, takes_samples=takes_samples)
        self._submitter = Submitter(
            client, quiet_seconds=quiet_seconds, late_seconds=late_seconds, request_of=request_of
        )
        self._book = Book()
        self._observer = Observer(
            client, self._book, lookback=lookback, is_busy=lambda: self._submitter.is_busy
        )
        self._changer = Changer(client, admin_user)
        self._forgotten: OrderedDict[UUID, None] = OrderedDict()
        """Ended for good as far as the portal is concerned; Slurm remembers them for longer."""
        self._said: set[UUID] = set()
        """Jobs of which it was logged that others carry their key."""

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
        if self._programs:
            nodes = self._surveyed or await self.cluster()
            submissions = [away_from_lacking_nodes(submission, nodes) for submission in submissions]
        self._observer.expect()
        outcomes = await self._submitter.submit(submissions)
        for submission in submissions:
            if known := self._submitter.accepted.get(submission.job_id):
                self._expect(submission.job_id, known, submission.cluster_user)
        self._observer.expect()
        return outcomes

    async def find(self, users: Mapping[UUID, str]) -> Mapping[UUID, Accepted | Uncertain]:
        """Jobs that Slurm has or had, by the key in their comment and the user whom they belong to.

        Uncertain: the request may still be on its way, or a record of the job cannot be read.

        Raises:
            SchedulerUnavailable: slurmctld or slurmdbd did not answer.
        """
        accepted = self._submitter.accepted
        known: dict[UUID, Accepted | Uncertain] = {
            job_id: Accepted(accepted[job_id]) for job_id in users if job_id in accepted
        }
        unknown = users.keys() - known.keys() - self._submitter.never_sent - self._forgotten.keys()
        if not unknown:
            return known
        wanted = {job_id: users[job_id] for job_id in unknown}
        search = await find_jobs(self._client, wanted, lookback=self._lookback)
        for job_id in unknown:
            if outcome := await self._judge(job_id, search):
                known[job_id] = outcome
        return known

    async def cancel(self, jobs: Collection[JobRef]) -> None:
        """Cancel jobs as their own users. What runs gets SIGTERM, and SIGKILL after the site's KillWait.

        What Slurm has under a job's number is looked at first: a user's own job may have it by now.
        """
        by_user: dict[str, list[str]] = defaultdict(list)
        by_number = _by_number(jobs)
        there = await self._observer.records(by_number)
        for number, job in by_number.items():
            owner = self._book.owner_of(job)
            users = {
                record.owner.user
                for record in there[number]
                if record.job_id == number and owner.may_be(record.owner)
            }
            for user in users:
                by_user[user].append(number)
        self._observer.expect()
        await asyncio.gather(*(self._cancel_as(user, job_ids) for user, job_ids in by_user.items()))
        self._observer.expect()

    async def change(self, requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        """Change jobs one by one."""
        self._observer.expect()
        outcomes = []
        for request in requests:
            outcome = await self._changer.change(request, self._book.owner_of(request.job))
            outcomes.append(outcome)
            match request.change, outcome:
                case CancelTasks(tasks), Carried():
                    self._book.expect_cancelled(request.job, tasks, at=datetime.now(UTC))
                case RequeueJob(), Carried():
                    self._book.doubt(request.job)
        self._observer.expect()
        return outcomes

    async def observe(self, jobs: Mapping[UUID, JobRef], *, since: int | None = None) -> Observation:
        """Look at Slurm and tell; see observe_jobs.py for what a look costs."""
        followed = _by_number(job for job in jobs.values() if job.job_id not in self._forgotten)
        await self._observer.look({number: Owner.of(job) for number, job in followed.items()})
        return self._book.observe(followed.values(), since=since)

    async def forget(self, jobs: Collection[JobRef]) -> None:
        """Drop what is remembered of them; Slurm has them for as long as it likes."""
        self._book.forget(jobs)
        self._forgotten.update(dict.fromkeys(job.job_id for job in jobs))
        while len(self._forgotten) > _MOST_FORGOTTEN:
            self._forgotten.popitem(last=False)
        self._submitter.forget({job.scheduler_job_id for job in jobs})

    async def wait_for_change(self, timeout_seconds: float) -> bool:
        """Slurm does not tell: wait until the next look is due."""
        await asyncio.sleep(min(timeout_seconds, self._poll_seconds))
        return timeout_seconds >= self._poll_seconds

    async def accounted(self, jobs: Collection[JobRef]) -> Mapping[RunKey, TaskSnapshot]:
        """What slurmdbd has; the ends that it has not heard of are left out."""
        numbers = sorted({job.scheduler_job_id for job in jobs if job.scheduler_job_id.isdecimal()})
        records: dict[str, list[AccountedJob]] = defaultdict(list)
        for record in await self._observer.accounted(numbers):
            records[str(record.array.job_id or record.job_id)].append(record)
        return {
            (job.job_id, past.run.task_index, past.run.attempt): past.run
            for job in jobs
            for past in read_past(
                records[job.scheduler_job_id], {job.scheduler_job_id: self._book.owner_of(job)}
            )
            if past.is_certain and past.run is not None and past.run.usage is not None
        }

    async def cluster(self) -> ClusterSnapshot:
        """Everything that slurmctld shows of the cluster."""
        nodes, partitions, licenses, reservations = await asyncio.gather(
            self._client.nodes(),
            self._client.partitions(),
            self._client.licenses(),
            self._client.reservations(),
        )
        found = survey(
            self._name,
            as_of=datetime.now(UTC),
            nodes=nodes,
            partitions=partitions,
            licenses=licenses,
            reservations=reservations,
            default_partition=self._default_partition,
        )
        self._surveyed = with_missing_programs(found, self._programs)
        return self._surveyed

    async def _judge(self, job_id: UUID, search: Search) -> Accepted | Uncertain | None:
        """What was found of a job; None when Slurm does not have it.

        Other users' jobs that carry its key are none of it: whoever knows a key can write it, and nobody can
        submit as somebody else. They are neither taken nor cancelled, and hold nothing up.
        """
        user = search.users[job_id]
        if (foreign := search.foreign.get(job_id)) and job_id not in self._said:
            self._said.add(job_id)
            log.error("slurm.key_of_another_user", job_id=str(job_id), expected_user=user, found=foreign)
        if ours := search.ours.get(job_id):
            await self._cancel_duplicates(job_id, user, ours[1:])
            self._submitter.accept(job_id, ours[0])
            self._expect(job_id, ours[0], user)
            return Accepted(ours[0])
        if job_id in search.doubtful:
            return Uncertain(UNREADABLE)
        if self._submitter.may_still_come({job_id}):
            return Uncertain("a request for it without an answer may still reach the scheduler")
        return None

    def _expect(self, job_id: UUID, scheduler_job_id: str, user: str) -> None:
        self._forgotten.pop(job_id, None)
        self._book.expect(scheduler_job_id, Owner(job_id, user))

    async def _cancel_as(self, user: str, job_ids: list[str]) -> None:
        """As the user, who may cancel nobody else's: the number may have become another's meanwhile."""
        try:
            await self._client.cancel(job_ids, user=user)
        except SchedulerRefused as no:
            log.warning("slurm.cancel_refused", user=user, jobs=job_ids, reason=no.reason)

    async def _cancel_duplicates(self, job_id: UUID, user: str, others: Iterable[str]) -> None:
        """One job is one job: what was submitted twice in spite of everything runs once."""
        for number in others:
            log.error("slurm.duplicate_cancelled", job_id=str(job_id), scheduler_job_id=number)
            await self._cancel_as(user, [number])


def _by_number(jobs: Iterable[JobRef]) -> dict[str, JobRef]:
    """Without what cannot be Slurm's; of several jobs that were given one number, the last one."""
    return {job.scheduler_job_id: job for job in sorted(jobs, key=_age) if job.scheduler_job_id.isdecimal()}


def _age(job: JobRef) -> tuple[datetime, UUID]:
    return job.dispatched_at or datetime.min.replace(tzinfo=UTC), job.job_id
