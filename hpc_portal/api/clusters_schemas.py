"""What the API says of a cluster's nodes and queue, as the reader may know them."""

from uuid import UUID

from hpc_portal.api.schemas import Reply
from hpc_portal.app.cluster_map import Use
from schedulers.cluster import NodeState


class GpuGroupReply(Reply):
    """GPUs of a node of which the same is to be said."""

    type: str
    use: Use
    count: int
    job_id: UUID | None
    """null where you may not see the job, or there is none."""
    job_name: str


class JobOnNodeReply(Reply):
    """A job on a node that you may see."""

    id: UUID
    name: str


class MappedNodeReply(Reply):
    """One node of a cluster: of others' jobs there is only that they are there."""

    name: str
    state: NodeState
    partitions: list[str]
    use: Use
    """Of the node as a whole: yours come first, then those that you may see."""
    gpus: list[GpuGroupReply]
    cpus: int
    allocated_cpus: int
    memory_mib: int
    allocated_memory_mib: int
    reason: str
    jobs: list[JobOnNodeReply]


class UsualWaitReply(Reply):
    """How long those jobs waited that were submitted and started within the last day."""

    half_seconds: int
    """Half of them started within so long."""
    most_seconds: int
    """Nine of ten did."""


class PartitionQueueReply(Reply):
    """One partition's queue."""

    partition: str
    jobs_waiting: int
    tasks_waiting: int
    tasks_running: int
    wait: UsualWaitReply | None
    """null: too few jobs started lately."""
    own_waiting: int
    """Your jobs that could start as soon as it is their turn."""
    ahead: int | None
    """Jobs before the first of these, by priority and then by submission; null: none of yours waits."""
