"""One cluster: its nodes with what becomes of their GPUs, and its queue."""

from typing import Annotated

from fastapi import APIRouter, Query

from hpc_portal.api.clusters_schemas import (
    GpuGroupReply,
    JobOnNodeReply,
    MappedNodeReply,
    PartitionQueueReply,
)
from hpc_portal.api.schemas import ListReply
from hpc_portal.app.cluster_map import MapFilter, MappedNode, Use, map_nodes
from hpc_portal.app.cluster_queue import partition_queues
from hpc_portal.app.cluster_runs import visible_runs
from hpc_portal.app.clusters import find_cluster
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["clusters"])

Part = Annotated[str, Query(max_length=64)]


@router.get("/clusters/{cluster}/nodes")
def list_nodes(  # noqa: PLR0913 - a filter
    *,
    services: PortalServices,
    actor: CurrentActor,
    cluster: str,
    gpu: Part = "",
    partition: Part = "",
    state: Use | None = None,
    text: Part = "",
) -> ListReply[MappedNodeReply]:
    """Nodes by type of GPU, partition, state and part of a name; none before the cluster has reported."""
    snapshot = find_cluster(services, actor, cluster).snapshot
    if snapshot is None:
        return ListReply(items=[])
    with services.reading() as session:
        nodes = map_nodes(snapshot, visible_runs(session.connection(), actor, cluster))
    wanted = MapFilter(gpu, partition, state, text)
    return ListReply(items=[_node(mapped) for mapped in nodes if wanted.keeps(mapped)])


@router.get("/clusters/{cluster}/queue")
def show_queue(services: PortalServices, actor: CurrentActor, cluster: str) -> ListReply[PartitionQueueReply]:
    """How many wait and run in each partition, how long it usually takes, and where your own jobs stand."""
    snapshot = find_cluster(services, actor, cluster).snapshot
    names = [partition.name for partition in snapshot.partitions] if snapshot else []
    with services.reading() as session:
        found = partition_queues(session.connection(), actor, cluster, names, now=services.clock.now())
    return ListReply(items=[PartitionQueueReply.model_validate(queue) for queue in found])


def _node(mapped: MappedNode) -> MappedNodeReply:
    node = mapped.node
    return MappedNodeReply(
        name=node.name,
        state=node.state,
        partitions=list(mapped.partitions),
        use=mapped.use,
        gpus=[GpuGroupReply.model_validate(group) for group in mapped.groups],
        cpus=node.cpus,
        allocated_cpus=node.allocated_cpus,
        memory_mib=node.memory_mib,
        allocated_memory_mib=node.allocated_memory_mib,
        reason=node.reason,
        jobs=[JobOnNodeReply(id=job_id, name=name) for job_id, name in mapped.jobs.items()],
    )
