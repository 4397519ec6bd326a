"""What a job used of what it asked for, what would have been enough, and what that would have cost."""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from sqlalchemy import Connection, case, func, select
from sqlmodel import col

from hpc_portal.app.jobs.cost import price_list_of
from hpc_portal.app.jobs.queries import JobDetail
from hpc_portal.app.tables import JobTask
from quotas.errors import NoPriceList, UnpricedResource
from quotas.money import Vnd
from quotas.pricing import PriceList, price
from schedulers import tres
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.tres import times

MOST_TASKS = 2_000
"""Of an array that many are looked at: its tasks are alike."""
SHORTEST_SECONDS = 10
"""A run that lasted less says nothing about what it needs."""
_ONE_CORE = 1.1
"""A program of one thread keeps no more than this busy: its start and end may run beside it."""
_HEADROOM = 1.25
_MEMORY_STEP_MIB = 256


@dataclass(frozen=True, slots=True)
class RunsUsed:
    """What ended runs used, taken together."""

    runs: int
    elapsed_seconds: int
    """Of all of them; above 0."""
    longest_seconds: int
    cpu_seconds: float
    """0 where nobody measured it."""
    busiest_cores: float
    """What the run that kept the most cores busy kept busy, on average over its life."""
    peak_mib: int
    """The most memory that one of them needed; 0 where nobody measured it."""
    gpu_busy_seconds: float
    gpu_measured_seconds: int
    """Elapsed seconds of those whose GPUs were watched."""

    @property
    def average_cores(self) -> float:
        """Busy at a time in one run."""
        return self.cpu_seconds / self.elapsed_seconds

    @property
    def enough_cpus(self) -> int | None:
        """As many cores would have been as fast, if it kept them as busy all the time; None: not measured."""
        if not self.cpu_seconds:
            return None
        return 1 if self.busiest_cores <= _ONE_CORE else ceil(self.busiest_cores * _HEADROOM)

    @property
    def enough_mib(self) -> int | None:
        """The peak with some room above it; None: not measured."""
        if not self.peak_mib:
            return None
        return ceil(self.peak_mib * _HEADROOM / _MEMORY_STEP_MIB) * _MEMORY_STEP_MIB


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Of one job. Where nothing better is known, enough is what was asked for."""

    used: RunsUsed
    cpus_asked: int
    cpus_enough: int
    memory_mib_asked: int
    memory_mib_enough: int
    gpu_busy_share: float | None
    """How much of the time its GPUs were at work, 0 to 1; None where nobody measured it."""
    list_vnd: Vnd
    """List price of the runs that were looked at; 0 where something has no price."""
    saved_vnd: Vnd
    """So much less it would have been, had they got what would have been enough."""

    @property
    def is_well_sized(self) -> bool:
        """There is nothing to propose."""
        return (self.cpus_enough, self.memory_mib_enough) == (self.cpus_asked, self.memory_mib_asked)


def job_efficiency(connection: Connection, job: JobDetail) -> Efficiency | None:
    """Of a job that the caller has checked to be visible; None before a run ended that says anything."""
    used = runs_used(connection, [job.id], most_tasks=MOST_TASKS)
    if used is None:
        return None
    try:
        price_list = price_list_of(connection, job)
    except NoPriceList:  # it came past the portal, before there were prices
        price_list = None
    return judge(job.spec, used, job.partition, price_list)


def judge(spec: JobSpec, used: RunsUsed, partition: str, price_list: PriceList | None) -> Efficiency:
    """Pure. Without a price for something that it asked for, nothing is said of money.

    Jobs of several MPI tasks or nodes are told what they used and proposed nothing: the memory of their
    parts is not known, and a program that was started for 16 ranks does not run on 3 cores.
    """
    asked = enough = spec.resources
    if asked.ntasks == asked.nodes == 1 and not spec.exclusive:
        enough = asked.model_copy(
            update={
                "cpus_per_task": min(asked.cpus_per_task, used.enough_cpus or asked.cpus_per_task),
                "memory_mib_per_node": min(
                    asked.memory_mib_per_node, used.enough_mib or asked.memory_mib_per_node
                ),
            }
        )
    try:
        before, after = (_list_vnd(one, used, partition, price_list) for one in (asked, enough))
    except UnpricedResource:
        before = after = 0
    gpus = asked.tres.get(tres.GPU, 0)
    watched = gpus * used.gpu_measured_seconds
    return Efficiency(
        used=used,
        cpus_asked=asked.tres[tres.CPU],
        cpus_enough=enough.tres[tres.CPU],
        memory_mib_asked=asked.memory_mib_per_node,
        memory_mib_enough=enough.memory_mib_per_node,
        gpu_busy_share=min(1.0, used.gpu_busy_seconds / watched) if watched else None,
        list_vnd=before,
        saved_vnd=before - after,
    )


def _list_vnd(asked: ResourceRequest, used: RunsUsed, partition: str, price_list: PriceList | None) -> Vnd:
    if price_list is None:
        return 0
    bill = price(times(asked.tres, used.elapsed_seconds), partition, price_list)
    return sum(line.list_vnd for line in bill.lines)


def runs_used(connection: Connection, job_ids: Collection[UUID], *, most_tasks: int) -> RunsUsed | None:
    """Of the settled runs of these jobs that lasted `SHORTEST_SECONDS`; None when there are none.

    Args:
        connection: reads.
        job_ids: visible to whoever is told.
        most_tasks: of each job, those with a lower index are looked at.
    """
    elapsed, busy = col(JobTask.elapsed_seconds), col(JobTask.gpu_busy_seconds)
    row = connection.execute(
        select(
            func.count().label("runs"),
            func.coalesce(func.sum(elapsed), 0).label("elapsed"),
            func.max(elapsed).label("longest"),
            func.sum(col(JobTask.cpu_seconds)).label("cpu"),
            func.max(col(JobTask.cpu_seconds) / elapsed).label("busiest"),
            func.max(col(JobTask.max_rss_mib)).label("peak"),
            func.coalesce(func.sum(busy), 0.0).label("gpu_busy"),
            func.coalesce(func.sum(case((busy.is_not(None), elapsed), else_=0)), 0).label("gpu_measured"),
        ).where(
            col(JobTask.job_id).in_(job_ids),
            col(JobTask.task_index) < most_tasks,
            col(JobTask.settled_at).is_not(None),
            elapsed >= SHORTEST_SECONDS,
        )
    ).one()
    if not row.runs:
        return None
    return RunsUsed(
        runs=row.runs,
        elapsed_seconds=int(row.elapsed),
        longest_seconds=row.longest,
        cpu_seconds=float(row.cpu),
        busiest_cores=float(row.busiest),
        peak_mib=row.peak,
        gpu_busy_seconds=float(row.gpu_busy),
        gpu_measured_seconds=int(row.gpu_measured),
    )
