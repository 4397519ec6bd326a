"""Finds the portal's jobs in Slurm by the request key in their comment, before any of them is sent again."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schedulers.slurm.client import SlurmClient
from schedulers.slurm.translate import job_id_of_comment
from schedulers.slurm.wire_accounting import AccountedMark

_CLOCK_SKEW = timedelta(hours=1)
_SLICE = timedelta(hours=12)
"""slurmdbd answers with several KB a job: a long span is asked for in parts."""
_TIME_ORDERED = 7
"""The version of UUIDs that begin with the instant they were made at."""


@dataclass(frozen=True, slots=True)
class Found:
    """A job that Slurm has, or had, with the key of one of ours; whoever knows the key can write it."""

    scheduler_job_id: str
    user: str


async def find_jobs(
    client: SlurmClient, users: Mapping[UUID, str], *, lookback: timedelta
) -> dict[UUID, list[Found]]:
    """Everything in slurmctld, and then in slurmdbd, that carries one of these keys; lowest number first.

    slurmdbd is asked only for what slurmctld does not have of the job's own user (`users`): a job that ran
    and ended while nobody looked. Two of that user are a job that was submitted twice.

    Raises:
        SchedulerUnavailable: one of the two did not answer, or said something of a job that cannot be read,
            so nobody can say that a job is not there.
    """
    found: dict[UUID, dict[int, Found]] = {}
    missing = set(users)

    def note(key: UUID, number: int, user: str) -> None:
        found.setdefault(key, {})[number] = Found(str(number), user)
        if user == users[key]:
            missing.discard(key)

    for job in await client.job_marks():
        key = job_id_of_comment(job.comment)
        if key in users and key is not None:
            note(key, job.array_job_id or job.job_id, job.user_name)
    for start, end in _windows(missing, datetime.now(UTC), lookback):
        wanted = frozenset(missing)
        for past in await client.accounted_marks(start=start, end=end):
            key = _key_of(past, wanted)
            if key is not None:
                note(key, past.array.job_id or past.job_id, past.user)
        if not missing:
            break
    return {key: [jobs[number] for number in sorted(jobs)] for key, jobs in found.items()}


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
    oldest = max(furthest, min(_made_at(key) or furthest for key in missing) - _CLOCK_SKEW)
    while end > oldest:
        start = max(oldest, end - _SLICE)
        yield start, end
        end = start


def _made_at(key: UUID) -> datetime | None:
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC) if key.version == _TIME_ORDERED else None
