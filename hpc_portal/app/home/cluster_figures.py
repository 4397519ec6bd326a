"""What the start page shows of all clusters: the same figures for everybody, read once for all who look."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from hpc_portal.app import cluster_views
from hpc_portal.app.cluster_amounts import FreeAmount, UsedAmount, count_free, count_used
from hpc_portal.app.licenses.free import free_licenses

LICENSES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """Equal as long as nothing else is to be said: no instant is in it, no name of a node or person."""

    free: tuple[FreeAmount, ...]
    """CPU cores, then GPUs by type."""
    used: tuple[UsedAmount, ...]
    """CPU cores, memory and GPUs by type; () before any cluster has reported."""
    licenses: tuple[FreeAmount, ...]
    """By name."""

    @property
    def on_start_page(self) -> "ClusterFigures":
        """With no more licences than there is room for: changes of others are none there."""
        return replace(self, licenses=self.licenses[:LICENSES_SHOWN])


def load(connection: Connection) -> ClusterFigures:
    """The figures as the controllers and licence servers last reported."""
    snapshots = cluster_views.load(connection)
    nodes = [node for snapshot in snapshots for node in snapshot.nodes]
    used = count_used(nodes) if nodes else ()
    return ClusterFigures(count_free(nodes), used, free_licenses(connection, snapshots))
