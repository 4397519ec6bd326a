"""The clusters as a person may see them: how full, how old the knowledge is, what of them does not answer.

Nobody learns here who else works on a cluster: reservations of others have no name, and what administrators
wrote beside a node is for administrators.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.cluster_amounts import GpuCount, count_gpus
from hpc_portal.app.errors import NotFound
from hpc_portal.app.outages import Outage
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ClusterPart
from schedulers.cluster import ClusterSnapshot, Reservation

STALE_AFTER = timedelta(minutes=2)
_TOLD_TO_ALL = frozenset({"Not responding", "NotResponding"})
"""What a scheduler itself says of a node; other reasons are administrators' notes."""


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """One cluster of the portal."""

    name: str
    is_default: bool
    """Takes jobs that name neither cluster nor partition."""
    needs_account: bool
    account: str | None
    """What the person's jobs run as there; None: they have no account yet."""
    snapshot: ClusterSnapshot | None
    """As last reported; None: never."""
    outages: tuple[Outage, ...]

    @property
    def gpus(self) -> tuple[GpuCount, ...]:
        """By type."""
        return count_gpus(self.snapshot.nodes) if self.snapshot else ()


class TroubleKind(StrEnum):
    """What a person notices when a part of a cluster does not answer."""

    JOBS_WAIT = "jobs_wait"
    """Submissions are taken and handed over later; what is shown of jobs there may be old."""
    CHARGES_WAIT = "charges_wait"
    """Jobs run, and are charged later."""
    PORTAL_SILENT = "portal_silent"
    """Nothing was heard of it: no controller of the portal runs, or none can reach the database."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that everybody should know of."""

    cluster: str
    kind: TroubleKind
    since: datetime


def list_clusters(services: Services, actor: Actor) -> list[SeenCluster]:
    """Every configured cluster, the default one first."""
    settings = services.settings
    snapshots = {snapshot.name: snapshot for snapshot in services.clusters.get()}
    outages = services.outages.get()
    sees_all = permissions.may(actor, Action.AUDIT)
    found = []
    for position, name in enumerate(settings.cluster_names):
        needs_account = name in settings.clusters_with_accounts
        has_account = name in actor.cluster_accounts or not needs_account
        snapshot = snapshots.get(name)
        found.append(
            SeenCluster(
                name=name,
                is_default=position == 0,
                needs_account=needs_account,
                account=actor.account_on(name) if has_account else None,
                snapshot=visible_part(services, actor, snapshot) if snapshot else None,
                outages=tuple(
                    outage if sees_all else replace(outage, problem="")
                    for outage in outages
                    if outage.cluster == name
                ),
            )
        )
    return found


def find_cluster(services: Services, actor: Actor, name: str) -> SeenCluster:
    """The configured cluster of that name.

    Raises:
        NotFound: there is none.
    """
    for found in list_clusters(services, actor):
        if found.name == name:
            return found
    raise NotFound("cluster", name)


def is_out(services: Services, cluster: str) -> bool:
    """Whether its scheduler does not answer now."""
    return any(
        outage.cluster == cluster and outage.part is ClusterPart.SCHEDULER
        for outage in services.outages.get()
    )


def list_snapshots(services: Services, actor: Actor) -> list[ClusterSnapshot]:
    """What is known of the clusters that the person may submit to."""
    return [
        one.snapshot for one in list_clusters(services, actor) if one.snapshot and one.account is not None
    ]


def visible_part(services: Services, actor: Actor, snapshot: ClusterSnapshot) -> ClusterSnapshot:
    """The snapshot without what is none of the person's business."""
    if permissions.may(actor, Action.AUDIT):
        return snapshot
    projects = services.projects.get().values() if snapshot.reservations else ()
    accounts = {project.account for project in projects if project.id in actor.projects}
    return for_tenant(snapshot, accounts=accounts, user=actor.account_on(snapshot.name))


def for_tenant(snapshot: ClusterSnapshot, *, accounts: Collection[str], user: str) -> ClusterSnapshot:
    """What somebody with these accounts may know of a cluster. Pure."""
    return replace(
        snapshot,
        nodes=tuple(
            node if node.reason in _TOLD_TO_ALL else replace(node, reason="") for node in snapshot.nodes
        ),
        reservations=tuple(_for_tenant(item, accounts, user) for item in snapshot.reservations),
    )


def _for_tenant(reservation: Reservation, accounts: Collection[str], user: str) -> Reservation:
    is_own = user in reservation.users or not set(accounts).isdisjoint(reservation.accounts)
    own = tuple(account for account in reservation.accounts if account in accounts)
    name = reservation.name if is_own else ""
    return replace(reservation, name=name, accounts=own, users=(user,) if user in reservation.users else ())


def list_troubles(services: Services) -> list[Trouble]:
    """What everybody should know of now, by cluster; from memory, at most a second old."""
    return troubles(
        services.outages.get(),
        services.clusters.get(),
        configured=services.settings.cluster_names,
        now=services.clock.now(),
    )


_KINDS = {
    ClusterPart.SCHEDULER: TroubleKind.JOBS_WAIT,
    ClusterPart.ACCOUNTING: TroubleKind.CHARGES_WAIT,
}


def troubles(
    outages: Sequence[Outage],
    snapshots: Sequence[ClusterSnapshot],
    *,
    configured: Collection[str],
    now: datetime,
) -> list[Trouble]:
    """Outages, and clusters of which nothing was heard although nobody said that they are out. Pure."""
    told = [
        Trouble(outage.cluster, _KINDS[outage.part], outage.since)
        for outage in outages
        if outage.cluster in configured
    ]
    out = {outage.cluster for outage in outages if outage.part is ClusterPart.SCHEDULER}
    silent = [
        Trouble(snapshot.name, TroubleKind.PORTAL_SILENT, snapshot.as_of)
        for snapshot in snapshots
        if snapshot.name in configured and snapshot.name not in out and now - snapshot.as_of > STALE_AFTER
    ]
    return sorted([*told, *silent], key=lambda trouble: (trouble.cluster, trouble.kind))
