"""How many licences a cluster's jobs may hold now: those issued, less those in use outside."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import cluster_views
from hpc_portal.app.licenses.poll import load_reports
from hpc_portal.app.licenses.tables import LicenseReservation
from quotas.tables import Project
from schedulers.cluster import ClusterSnapshot, LicenseSupply
from schedulers.flexnet.lmstat import Checkout, Feature


def license_supplies(connection: Connection, shares: Mapping[str, int]) -> dict[str, LicenseSupply]:
    """By feature, of those that a server counts or that are kept for somebody.

    Args:
        connection: reads.
        shares: the most of a feature that the cluster may use, by settings; the others may be used whole.
    """
    kept = kept_for_projects(connection)
    reports = load_reports(connection)
    hosts = hosts_of(cluster_views.load(connection)) if reports else frozenset()
    found: dict[str, LicenseSupply] = {}
    for report, _, _ in reports.values():
        for feature in report.features:
            if feature.is_counted and not feature.problem:
                share = shares.get(feature.name, feature.issued)
                found[feature.name] = supply_of(feature, hosts, share=share)
    for name, by_project in kept.items():
        supply = found.get(name) or LicenseSupply(shares.get(name, 0))
        found[name] = replace(supply, kept=by_project)
    return found


def supply_of(feature: Feature, hosts: frozenset[str], *, share: int) -> LicenseSupply:
    """What a cluster on these hosts may use at most `share` of. Pure."""
    total = min(share, feature.issued)
    outside = sum(one.count for one in feature.checkouts if not is_inside(one, hosts))
    left = max(0, feature.issued - outside)
    return LicenseSupply(total, outside=total - min(total, left))


def is_inside(checkout: Checkout, hosts: frozenset[str]) -> bool:
    """Whether a tool on one of these nodes has it; servers are told long names by some tools."""
    return checkout.host.partition(".")[0].lower() in hosts


def hosts_of(snapshots: Iterable[ClusterSnapshot]) -> frozenset[str]:
    """Short names of every node of these clusters. Pure."""
    return frozenset(node.name.partition(".")[0].lower() for snapshot in snapshots for node in snapshot.nodes)


def kept_for_projects(connection: Connection) -> Mapping[str, Mapping[str, int]]:
    """By feature, then by project: so many only its jobs may hold."""
    kept: dict[str, dict[str, int]] = defaultdict(dict)
    for feature, project, count in connection.execute(
        select(col(LicenseReservation.feature), col(Project.account), col(LicenseReservation.count)).join(
            Project, col(Project.id) == col(LicenseReservation.project_id)
        )
    ):
        kept[feature][project] = count
    return kept
