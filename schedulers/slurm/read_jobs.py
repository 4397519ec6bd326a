"""Records of slurmctld and slurmdbd as runs of the portal's jobs; pure.

One record of slurmctld is a job, a task of an array, or the part of an array that never started (its *rest*).
One record of slurmdbd is one attempt of such a thing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from schedulers import hostlist
from schedulers.errors import InvalidJobSpec
from schedulers.jobstate import ExitCode, JobState, StateFlag, TaskSnapshot
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

    def may_be(self, other: "Owner") -> bool:
        """Whether both may mean the same job, given that both have its number."""
        if self.key and self.key == other.key:
            return True
        if self.user != other.user:
            return False
        if not (self.submitted_at and other.submitted_at) or self.submitted_at == other.submitted_at:
            return True
        if self.key and other.key:
            return False
        # slurmdbd before v0.0.42 does not tell which of its records are attempts after a requeue.
        return self.name == other.name or not (self.name and other.name)

    def seen_as(self, other: "Owner") -> "Owner":
        """The same, with what a record of it adds that nobody can change."""
        return replace(self, submitted_at=self.submitted_at or other.submitted_at)


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


def read_past(jobs: Iterable[AccountedJob], *, keys: Mapping[str, UUID] | None = None) -> list[PastRun]:
    """Attempts that slurmdbd knows, oldest first for each record of slurmctld's.

    Of a number that it gave to several jobs: those of the job with the key in `keys`; where none has that,
    of the newest.
    """
    by_raw: dict[int, list[AccountedJob]] = {}
    for job in jobs:
        by_raw.setdefault(job.job_id, []).append(job)
    return [run for records in by_raw.values() for run in _attempts(records, keys or {})]


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


def _attempts(records: list[AccountedJob], keys: Mapping[str, UUID]) -> list[PastRun]:
    records.sort(key=_age)
    key = keys.get(str(records[0].array.job_id or records[0].job_id))
    with_key = [place for place, job in enumerate(records) if key and _owner(job).key == key]
    sure = with_key[-1] if with_key else len(records) - 1
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
    return Owner(job_id_of_comment(job.comment), job.user, job.name, job.time.submission)


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
