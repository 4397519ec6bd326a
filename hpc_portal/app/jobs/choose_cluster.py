"""Which of several clusters a job goes to: by the partition that it names, or the default one. Pure."""

from collections.abc import Sequence

from hpc_portal.app.errors import ClusterNotSeenYet, InvalidSubmission, Problem
from schedulers.cluster import ClusterSnapshot

SEPARATOR = ":"
"""Between a cluster and one of its partitions, as in `slurm:gpu`; no partition has it in its name."""


def choose_cluster(
    seen: Sequence[ClusterSnapshot], configured: Sequence[str], partition: str | None
) -> tuple[ClusterSnapshot, str | None]:
    """The cluster, and the partition there; None for its default one.

    Args:
        seen: clusters that have reported.
        configured: names of all clusters; the first takes the jobs that name no partition.
        partition: as the person wrote it: `gpu`, `slurm:gpu`, or `slurm:` for that cluster's default.

    Raises:
        ClusterNotSeenYet: the one that it must go to has not reported so far.
        InvalidSubmission: there is no such cluster or partition, or several clusters have it.
    """
    known = {snapshot.name: snapshot for snapshot in seen if snapshot.name in configured}
    if partition and SEPARATOR in partition:
        name, _, inside = partition.partition(SEPARATOR)
        if name not in configured:
            raise InvalidSubmission([_no_cluster(name, configured)])
        return _require_seen(known, name), inside or None
    if partition is None:
        return _require_seen(known, configured[0]), None
    having = [name for name in configured if name in known and known[name].partition(partition)]
    match having:
        case [name]:
            return known[name], partition
        case []:
            if len(known) < len(configured) or not any(snapshot.nodes for snapshot in known.values()):
                raise ClusterNotSeenYet
            raise InvalidSubmission([_no_partition(partition, [known[name] for name in configured])])
        case _:
            raise InvalidSubmission([_ambiguous(partition, having)])


def partition_names(clusters: Sequence[ClusterSnapshot]) -> list[str]:
    """Every partition as a person must write it: with its cluster only where others have it, too."""
    found = [(cluster.name, partition.name) for cluster in clusters for partition in cluster.partitions]
    plain = [name for _, name in found]
    return [name if plain.count(name) == 1 else f"{cluster}{SEPARATOR}{name}" for cluster, name in found]


def _require_seen(known: dict[str, ClusterSnapshot], name: str) -> ClusterSnapshot:
    snapshot = known.get(name)
    if snapshot is None or not snapshot.nodes:
        raise ClusterNotSeenYet
    return snapshot


def _no_cluster(name: str, configured: Sequence[str]) -> Problem:
    return Problem(
        "partition",
        "There is no cluster %(cluster)s. Choose one of: %(names)s.",
        {"cluster": name, "names": ", ".join(configured)},
    )


def _no_partition(partition: str, clusters: Sequence[ClusterSnapshot]) -> Problem:
    return Problem(
        "partition",
        "There is no partition %(partition)s. Choose one of: %(names)s.",
        {"partition": repr(partition), "names": ", ".join(partition_names(clusters)) or "-"},
    )


def _ambiguous(partition: str, clusters: Sequence[str]) -> Problem:
    return Problem(
        "partition",
        "Several clusters have a partition %(partition)s. Write one of: %(names)s.",
        {
            "partition": partition,
            "names": ", ".join(f"{cluster}{SEPARATOR}{partition}" for cluster in clusters),
        },
    )
