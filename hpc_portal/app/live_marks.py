"""What pages follow beside jobs: notices, clusters, what is left; as marks that differ once those change."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.clusters import Trouble
from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.requests.tables import QuotaRequest
from hpc_portal.app.requests.transitions import RequestState
from hpc_portal.app.tables import ClusterOutage, ClusterView
from quotas.balance import balances
from quotas.money import VND


class Watched(StrEnum):
    """What can be followed, as it is called on the wire."""

    NOTICES = "notices"
    REQUESTS = "requests"
    CLUSTERS = "clusters"
    """Whenever one has reported: of pages that say how old their knowledge is."""
    FIGURES = "figures"
    """What the start page shows of them: told only once it says something else."""
    TROUBLES = "troubles"
    """What of them does not answer, as every page says it at its top."""
    BALANCE = "balance"
    """What a project has left: read once something has happened to its jobs."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a project may still spend."""

    vnd: int


Key = tuple[Watched, UUID | str]
"""What, and whose: a person's notices, a project's requests, a cluster by its name."""
FIGURES: Key = (Watched.FIGURES, "")
TROUBLES: Key = (Watched.TROUBLES, "")
"""Both of all clusters together."""
Drawn = ClusterFigures | tuple[Trouble, ...] | Left
"""Told as it is to be shown."""
Mark = int | str | Drawn
"""Of notices the number of unread ones; what is drawn; of others something to compare with what was read."""
Marks = Mapping[Key, Mark]


def read_marks(connection: Connection, watched: Collection[Watched], readers: Collection[UUID]) -> Marks:
    """The marks of now, but for what is drawn. Drafts of requests have none: only some see those.

    Args:
        connection: reads.
        watched: what somebody follows.
        readers: whose notices.
    """
    marks: dict[Key, Mark] = {}
    if Watched.NOTICES in watched:
        unread = select(col(Notice.user_id), func.count().label("unread")).where(
            col(Notice.read_at).is_(None), col(Notice.on_page), col(Notice.user_id).in_(readers)
        )
        counted = connection.execute(unread.group_by(col(Notice.user_id)))
        marks |= {(Watched.NOTICES, reader): 0 for reader in readers}
        marks |= {(Watched.NOTICES, row.user_id): row.unread for row in counted}
    if Watched.REQUESTS in watched:
        versions = select(
            col(QuotaRequest.project_id), func.sum(col(QuotaRequest.version)).label("version")
        ).where(col(QuotaRequest.state) != RequestState.DRAFT)
        summed = connection.execute(versions.group_by(col(QuotaRequest.project_id)))
        marks |= {(Watched.REQUESTS, row.project_id): int(row.version) for row in summed}
    if Watched.CLUSTERS in watched:
        outages = connection.execute(
            select(col(ClusterOutage.cluster), func.count().label("parts")).group_by(
                col(ClusterOutage.cluster)
            )
        )
        out = {row.cluster: row.parts for row in outages}
        seen = connection.execute(select(col(ClusterView.name), col(ClusterView.as_of)))
        marks |= {
            (Watched.CLUSTERS, row.name): f"{row.as_of.isoformat()} {out.get(row.name, 0)}" for row in seen
        }
    return marks


def read_left(connection: Connection, projects: Collection[UUID], *, at: datetime) -> Marks:
    """What each of these has left; nothing of one whose budget is not in đồng."""
    found = {project: one.by_asset.get(VND) for project, one in balances(connection, projects, at).items()}
    return {
        (Watched.BALANCE, project): Left(amounts.available) for project, amounts in found.items() if amounts
    }
