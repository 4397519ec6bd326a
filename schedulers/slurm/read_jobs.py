"""Records of slurmctld and slurmdbd as runs of the portal's jobs; pure.

One record of slurmctld is a job, a task of an array, or the part of an array that never started (its *rest*).
One record of slurmdbd is one attempt of such a thing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schedulers import hostlist
from schedulers.errors import InvalidJobSpec
from schedulers.jobstate import ExitCode, JobState, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef
from schedulers.slurm.meter_runs import meter_run
from schedulers.slurm.read_states import (
    ReadState,
    read_exit_code,
    read_gpu_indices,
    read_reason,
    read_state,
)
from schedulers.slurm.translate import job_id_of_comment
from schedulers.slurm.wire import SlurmJob
from schedulers.slurm.wire_accounting import AccountedJob, AccountedStep

_TIME_ORDERED = 7
"""The version of UUIDs that begin with the instant they were made at."""
_KEY = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/|$)")
_CLOCK_SLACK = timedelta(minutes=10)
"""Between the clocks of portal and cluster."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose record it is. Slurm gives a number twice: when all are used up, and after it lost its memory."""

    key: UUID | None
    """Our job's id, when it is ours; its user may have changed the comment that holds it."""
    user: str
    name: str = ""
    """This, too, its user may change."""
    submitted_at: datetime | None = None
    """When the job was submitted, which nobody can change; None when that is not known, as for an attempt
    after a requeue, for which Slurm sets it anew."""
    known_at: datetime | None = None
    """When Slurm had the job for sure, by the portal's clock."""

    @classmethod
    def of(cls, job: JobRef) -> "Owner":
        """What the portal has stored of a job."""
        return cls(key=job.job_id, user=job.cluster_user, known_at=job.dispatched_at)

    def may_be(self, other: "Owner") -> bool:
        """Whether a record with this job's number is of it. What a user may change proves nothing alone."""
        if self.user and other.user and self.user != other.user:
            return False
        if self.key and self.key == other.key:
            return True
        is_of_another_key = self.key is not None and other.key is not None
        if other.submitted_at is None:
            return self.submitted_at is not None or not is_of_another_key
        if self.submitted_at is None:
            return self._may_be_of(other.submitted_at) if self.known_at else not is_of_another_key
        if self.submitted_at == other.submitted_at:
            return True
        # slurmdbd before v0.0.42 does not tell which of its records are attempts after a requeue.
        is_of_another_name = self.name and other.name and self.name != other.name
        return not (is_of_another_key or is_of_another_name)

    def _may_be_of(self, at: datetime) -> bool:
        """Whether this job may have been submitted then: after it was made, and before Slurm had it."""
        made = made_at(self.key) if self.key else None
        is_too_early = made is not None and at < made - _CLOCK_SLACK
        return not is_too_early and (self.known_at is None or at <= self.known_at + _CLOCK_SLACK)

    def seen_as(self, other: "Owner") -> "Owner":
        """The same, with what the first record of it adds."""
        return replace(
            self,
            user=self.user or other.user,
            name=self.name or other.name,
            submitted_at=self.submitted_at or other.submitted_at,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """What slurmctld says of one of its records."""

    job_id: str
    """The job that was submitted: the array's own number for every task of it."""
    raw_id: str
    """This record's own number; of an array, the rest keeps the array's."""
    task_index: int | None
    """0 for a job that is no array; None for the rest of one."""
    attempt: int
    """Its restart count: so many attempts ended before."""
    state: ReadState
    reason: str
    owner: Owner
    partition: str
    run: TaskSnapshot | None
    """The attempt under way or ended; None while it waits, and when it was cancelled before it started."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """What slurmdbd says of one attempt."""

    job_id: str
    raw_id: str
    owner: Owner
    task_index: int | None
    attempt: int
    has_ended: bool
    """False: slurmdbd has not heard of its end (yet)."""
    is_certain: bool
    """False: how it ended may still become clearer, see `_how_it_ended`."""
    run: TaskSnapshot | None
    """With its usage, when it ended; None when it was cancelled before it started."""


def made_at(key: UUID) -> datetime | None:
    """When the portal made a job; None for an id that does not tell."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC) if key.version == _TIME_ORDERED else None


def read_record(job: SlurmJob) -> Record:
    """One record of slurmctld."""
    state = read_state(job.job_state)
    task_index = 0 if job.array_job_id is None else _task_index(job.array_task_id)
    return Record(
        job_id=str(job.array_job_id or job.job_id),
        raw_id=str(job.job_id),
        task_index=task_index,
        attempt=job.restart_cnt,
        state=state,
        reason=read_reason(job.state_reason),
        owner=Owner(
            key=job_id_of_comment(job.comment),
            user=job.user_name,
            name=job.name,
            submitted_at=None if job.restart_cnt else job.submit_time,
        ),
        partition=job.partition,
        run=_current_run(job, state, task_index),
    )


def read_past(jobs: Iterable[AccountedJob], owners: Mapping[str, Owner]) -> list[PastRun]:
    """Attempts of these jobs that slurmdbd knows, oldest first for each record of slurmctld's.

    Args:
        jobs: what it says; it gives a number to several jobs.
        owners: which job is meant, by the number that was submitted.
    """
    by_raw: dict[int, list[AccountedJob]] = {}
    for job in jobs:
        by_raw.setdefault(job.job_id, []).append(job)
    found = []
    for records in by_raw.values():
        if owner := owners.get(str(records[0].array.job_id or records[0].job_id)):
            found += _attempts(records, owner)
    return found


def read_alone(job: AccountedJob) -> PastRun:
    """One record without the others of its number."""
    return _past_run(job, job.restart_cnt, is_last=True)


def _current_run(job: SlurmJob, state: ReadState, task_index: int | None) -> TaskSnapshot | None:
    if task_index is None or state.waits or state.base is JobState.UNKNOWN:
        return None
    nodes = _nodes(job.nodes)
    if state.base is JobState.CANCELLED and not nodes and not job.restart_cnt:
        return None
    return TaskSnapshot(
        task_index=task_index,
        attempt=job.restart_cnt,
        state=state.base,
        flags=state.flags,
        reason=read_reason(job.state_reason),
        exit_code=read_exit_code(job.exit_code) if state.base.is_terminal else None,
        # A job that was cancelled while it waited "starts" at the instant of its end, on no node.
        started_at=job.start_time if nodes else None,
        ended_at=job.end_time if state.has_ended else None,
        nodes=nodes,
        gpu_indices=read_gpu_indices(nodes, job.gres_detail),
    )


def _attempts(records: list[AccountedJob], meant: Owner) -> list[PastRun]:
    records.sort(key=_age)
    fitting = [place for place, job in enumerate(records) if meant.may_be(_owner(job))]
    if not fitting:
        return []
    with_key = [place for place in fitting if meant.key and _owner(records[place]).key == meant.key]
    sure = (with_key or fitting)[-1]
    # Without those of another job that had the same number, before Slurm's numbers began anew. A comment is
    # stored only some time after a requeue and can be changed, so that it alone does not tell.
    starts = [place for place, job in enumerate(records) if not job.restart_cnt]
    first = max((place for place in starts if place <= sure), default=0)
    following = min((place for place in starts if place > sure), default=len(records))
    owner = _owner(records[sure])
    ours = [
        job
        for place, job in enumerate(records)
        if _owner(job).may_be(owner) or (first <= place < following and job.user == owner.user)
    ]
    # Older releases keep no restart count; then their order tells.
    numbers = [max(place, job.restart_cnt) for place, job in enumerate(ours)]
    return [
        _past_run(job, attempt, is_last=attempt == numbers[-1])
        for job, attempt in zip(ours, numbers, strict=True)
    ]


def _owner(job: AccountedJob) -> Owner:
    """Where slurmdbd has no comment (yet, or ever), the name of the job's folder tells whose it is."""
    in_comment = job_id_of_comment(job.comment)
    in_path = _KEY.search(job.working_directory) if not job.comment else None
    key = UUID(in_path[1]) if in_path else in_comment
    return Owner(key, job.user, job.name, job.time.submission)


def _age(job: AccountedJob) -> tuple[datetime, int]:
    return job.time.submission or datetime.min.replace(tzinfo=UTC), job.restart_cnt


def _past_run(job: AccountedJob, attempt: int, *, is_last: bool) -> PastRun:
    said = read_state(job.state.current)
    is_requeued = not is_last or StateFlag.REQUEUED in said.flags
    state = _how_it_ended(job) if said.waits and is_requeued else said.base
    ended_at = job.time.end if state.is_terminal else None
    task_index = 0 if job.array.job_id is None else _task_index(job.array.task_id)
    run = None
    never_ran = job.time.start is None and state is JobState.CANCELLED and not attempt
    if ended_at and task_index is not None and not never_ran:
        run = TaskSnapshot(
            task_index=task_index,
            attempt=attempt,
            state=state,
            flags=frozenset({StateFlag.REQUEUED}) if is_requeued else frozenset(),
            reason=_reason(job, state),
            exit_code=_exit_code(job, state),
            started_at=job.time.start,
            ended_at=ended_at,
            nodes=_nodes(job.nodes),
            usage=meter_run(job),
        )
    return PastRun(
        job_id=str(job.array.job_id or job.job_id),
        raw_id=str(job.job_id),
        owner=replace(_owner(job), submitted_at=None) if attempt else _owner(job),
        task_index=task_index,
        attempt=attempt,
        has_ended=ended_at is not None,
        is_certain=not (said.waits and is_requeued) or _script_has_ended(job) or bool(job.failed_node),
        run=run,
    )


def _how_it_ended(job: AccountedJob) -> JobState:
    """The end of a requeued attempt, of which slurmdbd says only that it was requeued: its script's."""
    script = _batch_step(job)
    if script is not None and not job.failed_node and _script_has_ended(job):
        return read_state(script.state).base
    return JobState.NODE_FAIL if job.failed_node else JobState.CANCELLED


def _script_has_ended(job: AccountedJob) -> bool:
    script = _batch_step(job)
    return script is not None and read_state(script.state).has_ended


def _exit_code(job: AccountedJob, state: JobState) -> ExitCode:
    """The job's; of a requeued, cancelled or timed out one slurmdbd keeps only the script's."""
    code = read_exit_code(job.exit_code)
    script = _batch_step(job)
    if code.is_success and state is not JobState.COMPLETED and script is not None:
        return read_exit_code(script.exit_code)
    return code


def _reason(job: AccountedJob, state: JobState) -> str:
    """In slurmctld's words, which slurmdbd does not keep for these."""
    if state is JobState.TIMEOUT:
        return "TimeLimit"
    if state is JobState.FAILED:
        return "RaisedSignal" if _exit_code(job, state).signal else "NonZeroExitCode"
    return read_reason(job.state.reason)


def _batch_step(job: AccountedJob) -> AccountedStep | None:
    return next((step for step in job.steps if step.id.endswith(".batch")), None)


def _nodes(said: str) -> tuple[str, ...]:
    try:
        return hostlist.expand(said) if said else ()
    except InvalidJobSpec:  # a way of writing it that we do not know: better than no node at all
        return (said,)


def _task_index(said: object) -> int | None:
    return said if isinstance(said, int) else None
