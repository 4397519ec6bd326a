"""How many licences are free: numbers only, the same for everybody, and cheap to ask for again and again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.cluster_amounts import FreeAmount
from hpc_portal.app.licenses.poll import load_reports
from hpc_portal.app.licenses.queries import free_of, holds_licenses, known_features
from hpc_portal.app.tables import Job
from schedulers.cluster import ClusterSnapshot


def free_licenses(connection: Connection, snapshots: Sequence[ClusterSnapshot]) -> tuple[FreeAmount, ...]:
    """Every feature of servers and clusters, by name (`license/vcs`), as `license_use` counts them."""
    known = known_features(snapshots, load_reports(connection))
    held = _held(connection) if known else Counter[str]()
    return tuple(
        FreeAmount(f"license/{name}", free_of(replace(use, held=held[name])), use.total)
        for name, use in sorted(known.items())
    )


def _held(connection: Connection) -> Counter[str]:
    """By feature: what all running tasks hold, whether or not their tools have taken it yet."""
    held: Counter[str] = Counter()
    licenses = col(Job.spec)["resources", "licenses"].label("licenses")
    for row in connection.execute(select(licenses, col(Job.tasks_running)).where(*holds_licenses())):
        held.update({name: count * row.tasks_running for name, count in row.licenses.items()})
    return held
