"""What the API says of clusters; read together with OpenAPI."""

from datetime import datetime

from hpc_portal.api.schemas import LicenseReply, NodeReply, PartitionReply, Reply
from hpc_portal.app.tables import ClusterPart


class ReservationReply(Reply):
    """Nodes kept for some people for a while; those of others have no name here."""

    name: str
    start_at: datetime
    end_at: datetime
    nodes: list[str]


class GpuCountReply(Reply):
    """GPUs of one type on nodes that are not down."""

    type: str
    total: int
    free: int
    """On nodes that take jobs."""


class OutageReply(Reply):
    """A part of the cluster that does not answer now."""

    part: ClusterPart
    since: datetime
    problem: str
    """For administrators and auditors; empty for others."""


class ClusterReply(Reply):
    """A cluster as its controller last reported it."""

    name: str
    is_default: bool
    """Takes jobs that name neither cluster nor partition."""
    needs_account: bool
    """The site gives out accounts there; without one nothing can be submitted."""
    account: str | None
    """What your jobs run as there; null: you have no account yet."""
    as_of: datetime | None
    """null: it has not reported yet."""
    age_seconds: int | None
    partitions: list[PartitionReply]
    nodes: list[NodeReply]
    licenses: list[LicenseReply]
    gpus: list[GpuCountReply]
    reservations: list[ReservationReply]
    outages: list[OutageReply]
