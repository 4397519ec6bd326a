"""Which tools the jobs of a Slurm node would not find, as far as the site has told; pure.

slurmctld knows nothing of software. A site names what a partition's nodes have, or those with a feature that
stands for a set of tools; of all other nodes nothing is known, and a job finds out in its first second.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from schedulers.cluster import ClusterSnapshot
from schedulers.programs import LOOKED_FOR
from schedulers.protocol import Submission


def with_missing_programs(
    cluster: ClusterSnapshot, programs: Mapping[str, Collection[str]]
) -> ClusterSnapshot:
    """The same cluster whose nodes tell what they lack of the commands that templates call.

    Args:
        cluster: as Slurm tells of it.
        programs: what is installed, by partition or feature. A node has what any of its names has.
    """
    if not programs:
        return cluster
    partitions = {partition.name: frozenset(partition.nodes) for partition in cluster.partitions}
    nodes = []
    for node in cluster.nodes:
        names = node.features.union(name for name, members in partitions.items() if node.name in members)
        told = [programs[name] for name in sorted(names) if name in programs]
        missing = frozenset(LOOKED_FOR).difference(*told) if told else frozenset[str]()
        nodes.append(replace(node, missing_programs=missing))
    return replace(cluster, nodes=tuple(nodes))


def away_from_lacking_nodes(submission: Submission, cluster: ClusterSnapshot) -> Submission:
    """The same job, that Slurm starts on no node which lacks one of its programs.

    Where its partition has no other, or it names the node itself, it may start there and say what is missing.
    """
    spec = submission.spec
    partition = cluster.partition(spec.partition)
    if partition is None or not spec.programs:
        return submission
    members = {node.name: node for node in cluster.nodes if node.name in partition.nodes}
    lacking = {name for name, node in members.items() if not node.missing_programs.isdisjoint(spec.programs)}
    if lacking >= members.keys():
        return submission
    excluded = sorted({*spec.exclude_nodes, *(lacking - set(spec.nodelist))})
    return replace(submission, spec=spec.model_copy(update={"exclude_nodes": tuple(excluded)}))
