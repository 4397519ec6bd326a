"""Charge the runs of a job from outside: each once, and a revised record by its difference."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.events import Event
from hpc_portal.app.external.jobs import ExternalJob
from hpc_portal.app.mirror.budgets import direct_qos, portal_qos
from hpc_portal.app.tables import ExternalUsage, Job, JobTask
from quotas.charge import DirectCharge, charge_run
from quotas.end_states import load_end_rules
from quotas.errors import InvalidAmount, NoPriceList, NothingCovers, UnpricedResource
from quotas.fold_usage import UsageBatch
from quotas.runs import RunUsage
from quotas.tables import Allocation, Project
from schedulers.external import ExternalRun
from schedulers.tres import times

_CANNOT_BE_CHARGED = (NothingCovers, NoPriceList, UnpricedResource, InvalidAmount)
_ADD_USAGE: Mapping[str, Any] = {
    name: new.on_conflict_do_update(
        index_elements=("cluster", "allocation_id", "asset"),
        set_={"amount": col(ExternalUsage.amount) + new.excluded.amount},
    )
    for name, new in (
        ("postgresql", postgresql.insert(ExternalUsage)),
        ("sqlite", sqlite.insert(ExternalUsage)),
    )
}


def charge_job(
    connection: Connection, cluster: str, job: ExternalJob, *, at: datetime
) -> list[tuple[ExternalRun, str]]:
    """Charge what of a job ended; the runs that cannot be charged, with the reason in words.

    A run is paid from the allocation whose QOS it ran under: there, the cluster counted it.
    """
    unpaid = []
    told: list[Event] = []
    usage = UsageBatch()
    counters = _counters(connection, job.tenant.project_id)
    rules = load_end_rules(connection)
    for run in sorted(job.tasks, key=lambda run: run.task_index or 0):
        if run.ended_at is None:
            continue
        if run.started_at is None:
            _note_settled(connection, job, run, 0, at=at)
            continue
        counter = counters.get(run.qos)
        used = _usage(cluster, job, run, run.ended_at)
        try:
            paid = charge_run(
                connection,
                job_id=job.id,
                project_id=job.tenant.project_id,
                partition=run.partition,
                run=used,
                at=at,
                allocation_id=counter.allocation_id if counter else None,
                usage=usage,
                rules=rules,
            )
        except _CANNOT_BE_CHARGED as problem:
            unpaid.append((run, str(problem)))
        else:
            _note_settled(connection, job, run, paid.vnd_change, at=at)
            if counter and counter.is_direct:
                _count(connection, cluster, counter.allocation_id, paid.counted_change)
            if paid.charge.is_revised:
                told.append(Event(job.id, job.tenant.project_id, "job.corrected", _correction(run, paid)))
    events.record(connection, told, at=at)
    usage.fold(connection)
    return unpaid


@dataclass(frozen=True, slots=True)
class _Counter:
    """A QOS of the mirror, by which the cluster counts."""

    allocation_id: UUID
    is_direct: bool


def _counters(connection: Connection, project_id: UUID) -> dict[str, _Counter]:
    rows = connection.execute(
        select(col(Allocation.id), col(Project.account))
        .join(Project, col(Project.id) == col(Allocation.project_id))
        .where(col(Allocation.project_id) == project_id)
    ).all()
    portal = {portal_qos(row.account, row.id): _Counter(row.id, is_direct=False) for row in rows}
    return portal | {direct_qos(row.account, row.id): _Counter(row.id, is_direct=True) for row in rows}


def _usage(cluster: str, job: ExternalJob, run: ExternalRun, ended_at: datetime) -> RunUsage:
    waited = run.started_at - run.submitted_at if run.started_at else None
    return RunUsage(
        run_key=f"{job.id}/{run.task_index}/0",
        user_id=job.tenant.user_id,
        tres_seconds=times(run.allocated_tres, run.elapsed_seconds),
        elapsed_seconds=run.elapsed_seconds,
        state=run.state,
        started_at=run.started_at,
        ended_at=ended_at,
        closes_unit=True,
        cluster=cluster,
        used_cpu_seconds=round(run.cpu_seconds) if run.cpu_seconds else None,
        peak_mem_mib=run.max_rss_mib or None,
        waited_seconds=max(round(waited.total_seconds()), 0) if waited else None,
    )


def _note_settled(
    connection: Connection, job: ExternalJob, run: ExternalRun, vnd_change: int, *, at: datetime
) -> None:
    connection.execute(
        update(JobTask)
        .where(col(JobTask.job_id) == job.id, col(JobTask.task_index) == run.task_index)
        .values(settled_at=at, charged_vnd=col(JobTask.charged_vnd) + vnd_change)
    )
    if vnd_change:
        charged = col(Job.charged_vnd) + vnd_change
        connection.execute(update(Job).where(col(Job.id) == job.id).values(charged_vnd=charged))


def _count(connection: Connection, cluster: str, allocation_id: UUID, changes: Mapping[str, int]) -> None:
    """What the direct QOS counted: its limit must grow with it, see mirror.budgets."""
    counted = [
        {"cluster": cluster, "allocation_id": allocation_id, "asset": asset, "amount": amount}
        for asset, amount in sorted(changes.items())
        if amount
    ]
    if counted:
        connection.execute(_ADD_USAGE[connection.dialect.name], counted)


def _correction(run: ExternalRun, paid: DirectCharge) -> dict[str, object]:
    return {"task_index": run.task_index, "change_vnd": paid.vnd_change}
