"""Makes the in-memory record of a job, from a new submission or from the store after a restart. Pure."""

from collections import deque
from collections.abc import Iterator

from schedulers.array_tasks import TaskSet
from schedulers.cluster import Partition
from schedulers.dask.book import Job, Run
from schedulers.dask.commands import command_of
from schedulers.dask.placement import HELD_BY_USER, PRIORITY
from schedulers.dask.pool import Pool, Slot
from schedulers.dask.queue import Demand, Entry
from schedulers.dask.store import Share, StoredJob
from schedulers.jobspec import JobSpec, Launch
from schedulers.jobstate import JobState
from schedulers.protocol import Submission
from schedulers.units import format_walltime


def refusal(spec: JobSpec, pool: Pool) -> str:
    """Why this cluster will never take the job; "" when it will.

    Sizes of nodes are not looked at: nodes come and go, and the job may wait for a larger one.
    """
    partition = _partition(spec, pool)
    if partition is None:
        return f"There is no partition {spec.partition!r}."
    for what, asked in (
        ("QOS", spec.qos),
        ("node features", spec.constraint),
        ("reservations", spec.reservation),
        ("srun", spec.launch is Launch.FIRST_NODE and spec.resources.nodes > 1),
    ):
        if asked:
            return f"This cluster has no {what}."
    walltime = spec.resources.walltime_seconds or 0
    if walltime > partition.max_walltime_seconds:
        return f"Partition {partition.name} allows {format_walltime(partition.max_walltime_seconds)}."
    if partition.max_nodes_per_job and spec.resources.nodes > partition.max_nodes_per_job:
        return f"Partition {partition.name} gives a job at most {partition.max_nodes_per_job} nodes."
    for feature, count in spec.resources.licenses.items():
        total = pool.licenses[feature].total if feature in pool.licenses else 0
        if count > total:
            return f"The cluster has {total} licences of {feature}, not {count}."
    return ""


def new_job(submission: Submission, pool: Pool, *, sequence: int, grace_seconds: float) -> Job:
    """The record of a job that `refusal` had nothing against; all its tasks wait."""
    spec = submission.spec
    partition = _partition(spec, pool)
    walltime = spec.resources.walltime_seconds or (partition.default_walltime_seconds if partition else 3600)
    entry = Entry(
        job_id=str(submission.job_id),
        organisation=submission.organisation,
        project=submission.project,
        partition=partition.name if partition else spec.partition or "",
        demand=Demand.of(spec, walltime_seconds=walltime),
        sequence=sequence,
        user=submission.user,
        waiting=spec.task_count,
        throttle=spec.array.throttle if spec.array else None,
        priority=submission.priority - spec.nice,
        not_before=spec.begin_at.timestamp() if spec.begin_at else 0.0,
    )
    return Job(
        submission=submission,
        job_id=entry.job_id,
        entry=entry,
        command=command_of(submission, walltime_seconds=walltime, grace_seconds=grace_seconds),
        upcoming=spec.task_indices(),
        held_reason=HELD_BY_USER if submission.is_held else "",
        reason=HELD_BY_USER if submission.is_held else PRIORITY,
    )


def restored_job(stored: StoredJob, pool: Pool, *, sequence: int, grace_seconds: float) -> Job:
    """The record of a job as the store knows it: `live` holds its runs that have not ended.

    A job that was accepted once is taken again even if the configuration would refuse it now.
    """
    job = new_job(stored.submission, pool, sequence=sequence, grace_seconds=grace_seconds)
    placed = {(run.task_index, run.attempt) for run in stored.runs}
    begun = {task_index for task_index, _ in placed}
    for kept in sorted(stored.runs, key=lambda run: (run.task_index, run.attempt)):
        successor = kept.task_index, kept.attempt + 1
        if not kept.has_ended:
            share = Share.from_json(kept.placement)
            run = Run(job, kept.task_index, kept.attempt, share, state=kept.state, placed_at=kept.placed_at)
            run.is_to_requeue = kept.is_to_requeue
            job.runs[run.key] = job.live[run.key] = run
            continue
        if kept.is_requeued and kept.state is JobState.CANCELLED and not kept.has_started:
            job.recalled[kept.task_index] = job.recalled.get(kept.task_index, 0) + 1
        if kept.is_requeued and successor not in placed:
            job.returned.append(successor)
    job.upcoming = _without(stored.submission.spec, begun)
    job.has_new_walltime = stored.has_new_walltime
    job.entry.waiting = stored.submission.spec.task_count - len(begun) + len(job.returned)
    if stored.cancel_requested:
        cancel_waiting(job)
    return job


def drop_waiting(job: Job, tasks: TaskSet) -> list[tuple[int, int]]:
    """Of these tasks none starts any more; the attempts that were to come."""
    job.dropped = job.dropped.plus(tasks)
    owed = [key for key in job.returned if key[0] in tasks]
    job.returned = deque(key for key in job.returned if key[0] not in tasks)
    kept: list[int] = []
    for task_index in job.upcoming:
        if task_index in tasks:
            owed.append((task_index, 0))
        else:
            kept.append(task_index)
    job.upcoming = iter(kept)
    job.entry.waiting -= len(owed)
    return owed


def cancel_waiting(job: Job) -> list[tuple[int, int]]:
    """No further task starts; the attempts above 0 that were to come, for the portal knows of those."""
    owed = [task for task in job.returned if task[1]]
    job.is_cancelled = True
    job.entry.waiting = 0
    job.returned.clear()
    job.upcoming = iter(())
    return owed


def restored_slot(job: Job, share: Share, *, now: float) -> Slot:
    """The slot that a stored run holds; without its node's word, it may just have started."""
    entry = job.entry
    return Slot(
        slot_id=share.slot,
        organisation=entry.organisation,
        project=entry.project,
        user=entry.user,
        demand=entry.demand,
        gpus={node: share.gpus.get(node, {}) for node in share.nodes},
        ends_at=now + entry.demand.walltime_seconds,
        whole_cpus=share.whole_cpus,
    )


def _without(spec: JobSpec, begun: set[int]) -> Iterator[int]:
    return (index for index in spec.task_indices() if index not in begun)


def _partition(spec: JobSpec, pool: Pool) -> Partition | None:
    partitions = pool.partitions.values()
    if spec.partition is None:
        return next((partition for partition in partitions if partition.is_default), None)
    return pool.partitions.get(spec.partition)
