"""Finds the portal's jobs in Slurm by the request key in their comment, before any of them is sent again."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schedulers.slurm.client import SlurmClient
from schedulers.slurm.translate import job_id_of_comment
from schedulers.slurm.wire_accounting import AccountedJob

_CLOCK_SKEW = timedelta(hours=1)
_SLICE = timedelta(hours=12)
"""slurmdbd answers with several KB a job: a long span is asked for in parts."""
_TIME_ORDERED = 7
"""The version of UUIDs that begin with the instant they were made at."""


@dataclass(frozen=True, slots=True)
class Found:
    """A job of ours that Slurm has, or had."""

    scheduler_job_id: str
    user: str


async def find_jobs(
    client: SlurmClient, job_ids: Collection[UUID], *, lookback: timedelta
) -> dict[UUID, list[Found]]:
    """Everything in slurmctld, and then in slurmdbd, that carries one of these keys; lowest number first.

    slurmdbd is asked only for what slurmctld does not have: a job that ran and ended while nobody looked.
    A list of two is a job that was submitted twice.

    Raises:
        SchedulerUnavailable: one of the two did not answer, so nobody can say that a job is not there.
    """
    found: dict[UUID, dict[int, Found]] = {}
    for job in await client.jobs():
        key = job_id_of_comment(job.comment)
        if key in job_ids and key is not None:
            number = job.array_job_id or job.job_id
            found.setdefault(key, {})[number] = Found(str(number), job.user_name)
    missing = set(job_ids) - found.keys()
    for start, end in _windows(missing, datetime.now(UTC), lookback):
        for past in await client.accounting(start=start, end=end):
            key = _key_of(past, missing)
            if key is not None:
                number = past.array.job_id or past.job_id
                found.setdefault(key, {})[number] = Found(str(number), past.user)
        if missing <= found.keys():
            break
    return {key: [jobs[number] for number in sorted(jobs)] for key, jobs in found.items()}


def _key_of(job: AccountedJob, wanted: Collection[UUID]) -> UUID | None:
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
