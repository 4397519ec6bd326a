"""A job from outside as the portal's own tables hold one; pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hpc_portal.app.jobs.lifecycle import Phase
from schedulers import tres
from schedulers.external import ExternalRun
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.tres import Tres

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f/]+")
_LONGEST_NAME = 128
_LONGEST_WALLTIME_SECONDS = 366 * 86_400
_UNDER_WAY = (JobState.RUNNING, JobState.SUSPENDED)
PROGRAM = ("sbatch",)
"""What stands for a program that the portal never saw."""


def external_id(cluster: str, scheduler_job_id: str, submitted_at: datetime) -> UUID:
    """The portal's id of a job from outside: always the same; by the time of its submission (UUIDv7)."""
    name = f"{cluster}/{scheduler_job_id}/{submitted_at.timestamp():.3f}"
    random = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10], "big")
    milliseconds = int(submitted_at.timestamp() * 1000)
    return UUID(
        int=milliseconds << 80
        | 0x7 << 76
        | (random >> 68 & 0xFFF) << 64
        | 0b10 << 62
        | random & (1 << 62) - 1
    )


def external_spec(run: ExternalRun) -> JobSpec:
    """What was asked for, as far as the accounting tells and the portal has words for it."""
    name = _UNPRINTABLE.sub("_", run.name)[:_LONGEST_NAME].strip() or "sbatch"
    asked = run.allocated_tres or run.requested_tres
    try:
        resources = _resources(asked, run.walltime_seconds)
    except ValueError:  # more than a job of the portal may ask for
        resources = ResourceRequest()
    return JobSpec(
        name=name,
        argv=PROGRAM,
        partition=run.partition or None,
        account=run.account,
        qos=run.qos or None,
        resources=resources,
    )


def _resources(asked: Mapping[Tres, int], walltime_seconds: int | None) -> ResourceRequest:
    nodes = max(asked.get(tres.NODE, 1), 1)

    def each(amount: int) -> int:
        return max(-(-amount // nodes), 1)

    gpus = {
        name.removeprefix(f"{tres.GPU}:"): each(amount)
        for name, amount in asked.items()
        if name.startswith(f"{tres.GPU}:") and amount
    }
    if not gpus and asked.get(tres.GPU):
        gpus = {"": each(asked[tres.GPU])}
    walltime = min(walltime_seconds, _LONGEST_WALLTIME_SECONDS) if walltime_seconds else None
    return ResourceRequest(
        nodes=nodes,
        ntasks=nodes,
        cpus_per_task=each(asked.get(tres.CPU, 1)),
        memory_mib_per_node=each(asked.get(tres.MEM, 1)),
        gpus_per_node=gpus,
        licenses={
            name.partition("/")[2]: amount
            for name, amount in asked.items()
            if name.startswith("license/") and amount
        },
        walltime_seconds=walltime,
    )


@dataclass(frozen=True, slots=True)
class KnownTask:
    """One task as it is stored or was just read."""

    state: JobState
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None = None
    exit_signal: int | None = None
    reason: str = ""


def summarise(
    tasks: Iterable[KnownTask], *, is_array: bool, waiting: int = 0, dropped: int = 0
) -> dict[str, Any]:
    """The columns of `job` that its tasks decide.

    Beside those listed, `waiting` of an array never started and still may, `dropped` never will.

    A task that ended without ever starting counts, too. UNKNOWN is never an end.
    """
    known = list(tasks)
    ended = [task for task in known if task.ended_at is not None]
    running = sum(task.state in _UNDER_WAY for task in known if task.ended_at is None)
    completed = sum(task.state is JobState.COMPLETED for task in ended)
    cancelled = dropped + sum(task.state is JobState.CANCELLED for task in ended)
    failed = [task for task in ended if task.state not in (JobState.COMPLETED, JobState.CANCELLED)]
    is_over = bool(ended or dropped) and len(ended) == len(known) and not waiting
    has_started = any(task.started_at for task in known)
    return {
        "phase": Phase.ENDED if is_over else Phase.TRACKED,
        "state": _state(known, len(failed), cancelled, is_over=is_over, is_array=is_array, running=running),
        "state_reason": known[0].reason if known and not is_array else "",
        "exit_code": _worst([task.exit_code for task in failed], is_over=is_over),
        "exit_signal": _worst([task.exit_signal for task in failed], is_over=is_over),
        "started_at": min((t.started_at for t in known if t.started_at), default=None)
        if has_started
        else None,
        "ended_at": max((task.ended_at for task in ended if task.ended_at), default=None)
        if is_over
        else None,
        "tasks_total": max(len(known) + waiting + dropped, 1),
        "tasks_running": running,
        "tasks_completed": completed,
        "tasks_failed": len(failed),
        "tasks_cancelled": cancelled,
    }


def _state(  # noqa: PLR0913 - counts of one list
    known: list[KnownTask], failed: int, cancelled: int, *, is_over: bool, is_array: bool, running: int
) -> JobState:
    if not is_over:
        started = running or (is_array and any(task.started_at for task in known))
        return JobState.RUNNING if started else JobState.PENDING
    if not is_array:
        return known[0].state
    if failed:
        return JobState.FAILED
    return JobState.CANCELLED if cancelled else JobState.COMPLETED


def _worst(codes: list[int | None], *, is_over: bool) -> int | None:
    return max((code for code in codes if code is not None), default=0 if is_over else None)
