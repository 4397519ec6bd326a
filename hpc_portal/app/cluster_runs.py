"""The runs under way on a cluster that a person may see, node by node, as its map needs them."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.cluster_map import VisibleRun
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.tables import Job, JobTask

_MOST = 50_000
"""More runs at once no reader can tell apart; the rest counts as others'."""


def visible_runs(connection: Connection, actor: Actor, cluster: str) -> list[VisibleRun]:
    """One for each node of each run that has started, or was put there, and has not ended."""
    rows = connection.execute(
        select(
            col(Job.id),
            col(Job.name),
            col(Job.user_id),
            col(Job.spec)["resources"].label("resources"),
            col(Job.spec)["exclusive"].label("exclusive"),
            col(JobTask.placement),
        )
        .join(JobTask, col(JobTask.job_id) == col(Job.id))
        .where(
            col(JobTask.ended_at).is_(None),
            under_way(),
            col(Job.phase) == Phase.TRACKED,
            col(Job.scheduler) == cluster,
            permissions.visible_jobs(actor),
        )
        .limit(_MOST)
    )
    return [run for row in rows for run in _by_node(row, actor)]


def _by_node(row: Any, actor: Actor) -> Iterator[VisibleRun]:  # noqa: ANN401 - a row
    placement: Mapping[str, Any] = row.placement or {}
    told: Mapping[str, Mapping[str, list[int]]] | None = placement.get("gpus")
    for node in placement.get("nodes", ()):
        indices = {kind: tuple(held) for kind, held in (told or {}).get(node, {}).items()}
        yield VisibleRun(
            job_id=row.id,
            job_name=row.name,
            is_mine=row.user_id == actor.user_id,
            node=node,
            gpu_indices=indices,
            gpus=(row.resources or {}).get("gpus_per_node", {}) if told is None else {},
            takes_all=bool(row.exclusive) and told is None,
        )
