"""How the mirror of a cluster stands, for administrators."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound
from hpc_portal.app.external.unclaimed import UnclaimedGroup, list_unclaimed
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import MirrorDrift, MirrorState

_MOST_CORRECTED = 100


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """A difference between what the portal set and what was found, made by somebody else."""

    subject: str
    field: str
    wanted: str
    found: str
    since: datetime
    corrected_at: datetime | None


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """All of it for one cluster."""

    cluster: str
    checked_at: datetime
    applied_at: datetime | None
    problem: str
    drift: tuple[DriftRecord, ...]
    """What stands first, then what was put right, the newest first."""
    unclaimed: tuple[UnclaimedGroup, ...]
    """Runs from outside that nobody pays for."""


def mirror_report(session: Session, actor: Actor, cluster: str) -> MirrorReport:
    """How the mirror of a cluster stands.

    Raises:
        NotAllowed: only administrators and auditors may.
        NotFound: no mirror of a cluster of that name ever ran.
    """
    permissions.require(actor, Action.AUDIT)
    connection = session.connection()
    state = connection.execute(
        select(col(MirrorState.checked_at), col(MirrorState.applied_at), col(MirrorState.problem)).where(
            col(MirrorState.cluster) == cluster
        )
    ).first()
    if state is None:
        raise NotFound("mirror", cluster)
    return MirrorReport(
        cluster,
        *state,
        drift=_drift(session, cluster),
        unclaimed=tuple(list_unclaimed(session, actor, cluster=cluster)),
    )


def mirror_reports(session: Session, actor: Actor) -> list[MirrorReport]:
    """How every mirror stands, for those who may know; none for others."""
    if not permissions.may(actor, Action.AUDIT):
        return []
    names = session.connection().execute(select(col(MirrorState.cluster)).order_by(col(MirrorState.cluster)))
    return [mirror_report(session, actor, name) for name in names.scalars()]


def _drift(session: Session, cluster: str) -> tuple[DriftRecord, ...]:
    columns = (
        col(MirrorDrift.subject),
        col(MirrorDrift.field),
        col(MirrorDrift.wanted),
        col(MirrorDrift.found),
        col(MirrorDrift.since),
        col(MirrorDrift.corrected_at),
    )
    of_cluster = (
        select(*columns).where(col(MirrorDrift.cluster) == cluster).order_by(col(MirrorDrift.id).desc())
    )
    connection = session.connection()
    standing = connection.execute(of_cluster.where(col(MirrorDrift.corrected_at).is_(None)))
    corrected = connection.execute(
        of_cluster.where(col(MirrorDrift.corrected_at).is_not(None)).limit(_MOST_CORRECTED)
    )
    return tuple(DriftRecord(*row) for row in (*standing, *corrected))
