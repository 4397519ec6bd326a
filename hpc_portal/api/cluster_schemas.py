"""What the API says of clusters; read together with OpenAPI."""

from datetime import datetime

from hpc_portal.api.catalogue_schemas import LicenseReply, NodeReply, PartitionReply
from hpc_portal.api.schemas import Reply
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


class DriftReply(Reply):
    """Something on the cluster that is not as the portal set it, because somebody else changed it."""

    subject: str
    field: str
    """Empty: the thing itself is missing, or somebody else's."""
    wanted: str
    found: str
    since: datetime
    corrected_at: datetime | None
    """null while it stands."""


class UnclaimedReply(Reply):
    """Runs by sbatch that nobody could be charged for yet; they are tried again."""

    account: str
    cluster_user: str
    why: str
    runs: int
    tres_seconds: dict[str, int]
    since: datetime


class MirrorReply(Reply):
    """How the mirror of accounts and budgets into a cluster stands."""

    cluster: str
    checked_at: datetime
    applied_at: datetime | None
    """When something was last changed there."""
    problem: str
    """What the cluster would not do, or that it does not answer; empty when all is well."""
    drift: list[DriftReply]
    """What stands first; then what was put right, the newest first."""
    unclaimed: list[UnclaimedReply]


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
