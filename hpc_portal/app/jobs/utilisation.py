"""What a run used over time: CPU, memory and GPUs, from the samples that its node wrote into the workspace.

The file is the tenant's to break: what is no sample is passed over, and little is read that is not shown.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.open_file import open_file
from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.tables import JobTask

MOST_POINTS = 240
_MOST_NODES = 16
_MOST_BYTES = 2 * 1024**2
"""A file up to this size is read whole: about fifteen hours at a sample each two seconds."""
_WINDOW_BYTES = 8 * 1024
"""Of a longer one, so much around each point that is shown."""
_MOST = 2**35
"""No number of a sample is larger: Unix seconds until the year 3058, MiB, percent of a core."""


@dataclass(frozen=True, slots=True)
class UsePoint:
    """A while of a run: the mean over its samples, of memory the most."""

    at: datetime
    cpu_cores: float
    """Kept busy."""
    memory_mib: int
    gpu_percent: float | None
    """The mean over its GPUs; None where there is none that can be read."""
    gpu_memory_mib: int | None


@dataclass(frozen=True, slots=True)
class NodeUse:
    """One node's part of a run, oldest first; at most `MOST_POINTS` points."""

    node: str
    points: tuple[UsePoint, ...]


@dataclass(frozen=True, slots=True)
class RunUse:
    """The newest attempt of a task."""

    task_index: int
    attempt: int
    nodes: tuple[NodeUse, ...]
    """Empty where nobody took samples."""


def run_use(session: Session, root: Path, job: JobDetail, task_index: int | None = None) -> RunUse | None:
    """Of a task, by default of the first that started; None when none did.

    Args:
        session: reads.
        root: of all workspaces.
        job: visible to whoever is told.
        task_index: which.
    """
    run = _newest_attempt(session, job.id, task_index)
    if run is None:
        return None
    index, attempt, names = run
    nodes = []
    for rank, name in enumerate(names[:_MOST_NODES] or ("",)):
        suffix = f".rank{rank}" if rank else ""
        points = read_points(root, job.workspace, f".hpc/samples-{index}-{attempt}{suffix}.jsonl")
        if points:
            nodes.append(NodeUse(name, points))
    return RunUse(index, attempt, tuple(nodes))


def _newest_attempt(
    session: Session, job_id: UUID, task_index: int | None
) -> tuple[int, int, tuple[str, ...]] | None:
    statement = select(col(JobTask.task_index), col(JobTask.attempt), col(JobTask.placement)).where(
        col(JobTask.job_id) == job_id, col(JobTask.started_at).is_not(None)
    )
    if task_index is not None:
        statement = statement.where(col(JobTask.task_index) == task_index)
    newest = statement.order_by(col(JobTask.task_index), col(JobTask.attempt).desc()).limit(1)
    row = session.connection().execute(newest).first()
    return (row.task_index, row.attempt, tuple(row.placement.get("nodes", ()))) if row else None


def read_points(root: Path, workspace: str, path: str) -> tuple[UsePoint, ...]:
    """The samples of a file as at most `MOST_POINTS` points; () while there is none."""
    try:
        with open_file(root, workspace, path) as descriptor:
            size = os.fstat(descriptor).st_size
            if size > _MOST_BYTES:
                return tuple(_thinned(descriptor, size))
            return _in_few_points(_samples(os.pread(descriptor, _MOST_BYTES, 0)))
    except FileNotInWorkspace:
        return ()


def _thinned(descriptor: int, size: int) -> Iterator[UsePoint]:
    step = (size - _WINDOW_BYTES) / (MOST_POINTS - 1)
    for number in range(MOST_POINTS):
        piece = os.pread(descriptor, _WINDOW_BYTES, int(number * step))
        whole = piece if number == 0 else piece.partition(b"\n")[2]
        if samples := _samples(whole):
            yield _mean(samples)


def _in_few_points(samples: Sequence[UsePoint]) -> tuple[UsePoint, ...]:
    each = max(1, -(-len(samples) // MOST_POINTS))
    return tuple(_mean(samples[start : start + each]) for start in range(0, len(samples), each))


def _mean(samples: Sequence[UsePoint]) -> UsePoint:
    busy = [sample.gpu_percent for sample in samples if sample.gpu_percent is not None]
    return UsePoint(
        at=samples[-1].at,
        cpu_cores=round(sum(sample.cpu_cores for sample in samples) / len(samples), 3),
        memory_mib=max(sample.memory_mib for sample in samples),
        gpu_percent=round(sum(busy) / len(busy), 1) if busy else None,
        gpu_memory_mib=max((sample.gpu_memory_mib or 0 for sample in samples), default=0) if busy else None,
    )


def _samples(content: bytes) -> list[UsePoint]:
    return [point for line in content.splitlines() if (point := _sample(line))]


def _sample(line: bytes) -> UsePoint | None:
    """None for a line that is no sample, such as one that is being written."""
    try:
        given = json.loads(line)
        at, cpu, memory = (_number(given[name]) for name in ("at", "cpu_percent", "rss_mib"))
        busy, gpu_memory = given.get("gpu_percent"), given.get("gpu_mib")
        return UsePoint(
            at=datetime.fromtimestamp(at, UTC),
            cpu_cores=cpu / 100,
            memory_mib=int(memory),
            gpu_percent=None if busy is None else min(100.0, _number(busy)),
            gpu_memory_mib=None if gpu_memory is None else int(_number(gpu_memory)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, RecursionError):
        return None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not math.isfinite(value) or not 0 <= value < _MOST:
        raise ValueError
    return float(value)
