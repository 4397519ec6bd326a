"""Finds the portal's jobs in Slurm by the request key in their comment, before any of them is sent again."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import dumps
from uuid import UUID

from schedulers.slurm.client import SlurmClient
from schedulers.slurm.read_jobs import made_at
from schedulers.slurm.translate import job_id_of_comment
from schedulers.slurm.versions import Record
from schedulers.slurm.wire_accounting import AccountedMark

_CLOCK_SKEW = timedelta(hours=1)
_SLICE = timedelta(hours=12)
"""slurmdbd answers with several KB a job: a long span is asked for in parts."""


@dataclass(slots=True)
class Search:
    """What carries the keys of some jobs. Two of a job's own user are a job that was submitted twice."""

    users: Mapping[UUID, str]
    ours: dict[UUID, list[str]] = field(default_factory=dict)
    """The numbers of the job's own user, lowest first."""
    foreign: dict[UUID, dict[str, str]] = field(default_factory=dict)
    """Users of other jobs by number: people who know the key, which is all that it takes to write it."""
    doubtful: set[UUID] = field(default_factory=set)
    """Jobs whose key stands in a record that cannot be read."""

    @property
    def missing(self) -> set[UUID]:
        """Those of which nothing was found yet."""
        return self.users.keys() - self.ours.keys()

    def note(self, key: UUID, number: int, user: str) -> None:
        """One more job that carries the key."""
        if user != self.users[key]:
            self.foreign.setdefault(key, {})[str(number)] = user
        elif str(number) not in self.ours.setdefault(key, []):
            self.ours[key] = sorted([*self.ours[key], str(number)], key=int)

    def note_unreadable(self, records: Iterable[Record]) -> None:
        """Whatever its shape, what we sent has the key in it, were it in the path of the job's folder."""
        for record in records:
            text = dumps(record, default=str)
            self.doubtful |= {key for key in self.missing if str(key) in text}


async def find_jobs(client: SlurmClient, users: Mapping[UUID, str], *, lookback: timedelta) -> Search:
    """Look through slurmctld, and then slurmdbd, for the keys of these jobs.

    slurmdbd is asked only for what slurmctld does not have of the job's own user (`users`): a job that ran
    and ended while nobody looked.

    Raises:
        SchedulerUnavailable: one of the two did not answer, so nobody can say that a job is not there.
    """
    search = Search(users)
    marks, unreadable = await client.job_marks()
    for job in marks:
        key = job_id_of_comment(job.comment)
        if key in users and key is not None:
            search.note(key, job.array_job_id or job.job_id, job.user_name)
    search.note_unreadable(unreadable)
    for start, end in _windows(search.missing, datetime.now(UTC), lookback):
        wanted = search.missing
        past_marks, unreadable = await client.accounted_marks(start=start, end=end)
        for past in past_marks:
            key = _key_of(past, wanted)
            if key is not None:
                search.note(key, past.array.job_id or past.job_id, past.user)
        search.note_unreadable(unreadable)
        if not search.missing:
            break
    return search


def _key_of(job: AccountedMark, wanted: Collection[UUID]) -> UUID | None:
    """The key in the comment; where slurmdbd stores no comments, the one in the name of the job's folder."""
    if job.comment:
        key = job_id_of_comment(job.comment)
        return key if key in wanted else None
    parts = set(job.working_directory.split("/"))
    return next((key for key in wanted if str(key) in parts), None)


def _windows(
    missing: Collection[UUID], now: datetime, lookback: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Spans of time, newest first, back to before the oldest of these jobs was made."""
    if not missing:
        return
    end = now + _CLOCK_SKEW
    furthest = now - lookback
    oldest = max(furthest, min(made_at(key) or furthest for key in missing) - _CLOCK_SKEW)
    while end > oldest:
        start = max(oldest, end - _SLICE)
        yield start, end
        end = start
