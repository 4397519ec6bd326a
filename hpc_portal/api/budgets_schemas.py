"""What allocations and refund cases look like over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hpc_portal.api.schemas import ReasonBody, Reply
from hpc_portal.app.budgets.tables import RefundCaseState
from quotas.allocation_tables import AllocationEventKind
from quotas.tables import AllocationState, HoldPolicy
from schedulers.instant import Instant

Amount = Annotated[int, Field(ge=1, lt=2**62)]
Asset = Annotated[str, Field(min_length=1, max_length=80)]


class AllocationLineReply(Reply):
    """One asset of an allocation: đồng under `VND`, TRES-seconds under a TRES."""

    asset: str
    available: int
    held: int
    consumed: int
    expired: int
    overdraft: int
    used_percent: int


class AllocationReply(Reply):
    """Budget that was granted to a project for a period."""

    id: UUID
    project: str
    organisation: str
    valid_from: datetime
    valid_to: datetime
    state: AllocationState
    hold_policy: HoldPolicy
    parent_id: UUID | None
    """The allocation that it was split from."""
    stopped_by: UUID | None
    """The one of those that it was split from that is suspended or has ended: it pays for nothing new."""
    lines: list[AllocationLineReply]


class AllocationEventReply(Reply):
    """What happened to an allocation beside the movements of its budget."""

    kind: AllocationEventKind
    was: str
    became: str
    by: str | None
    """A username; null: the portal itself."""
    reason: str
    at: datetime


class AllocationDetailReply(AllocationReply):
    """With its history."""

    events: list[AllocationEventReply]


class AmountsBody(ReasonBody):
    """How much: đồng under `VND`, TRES-seconds under a TRES."""

    lines: dict[Asset, Amount]


class ExtendBody(ReasonBody):
    """When it shall end."""

    valid_to: Instant


class HoldPolicyBody(ReasonBody):
    """How arrays of new jobs are held."""

    hold_policy: HoldPolicy


class CarryOverBody(ReasonBody):
    """Where to, and how much; without `lines`, all that is left."""

    target: UUID
    lines: dict[Asset, Amount] | None = None


class ChangedReply(Reply):
    """Whether this request changed anything; a repeat does not."""

    is_new: bool


class RefundCaseReply(Reply):
    """What somebody asked to get back, and what was decided."""

    id: UUID
    job_id: UUID
    job: str
    project: str
    raised_by: str
    raised_at: datetime
    reason: str
    asked_percent: int
    charged_vnd: int
    state: RefundCaseState
    decided_by: str | None
    decided_at: datetime | None
    decision: str
    granted_percent: int | None


class JobRefundsReply(Reply):
    """What a job was charged by asset, what came back, and what was never charged."""

    charged: dict[str, int]
    refunded: dict[str, int]
    waived: dict[str, int]
    """TRES-seconds of runs that are not paid for, such as those that a node failed."""
    waived_runs: int
    can_ask: bool
    cases: list[RefundCaseReply]


class RaiseRefundBody(ReasonBody):
    """The share that shall come back."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100


class RaisedReply(Reply):
    """The new case."""

    id: UUID


class DecideRefundBody(ReasonBody):
    """The share that comes back; 0 denies."""

    percent: Annotated[int, Field(ge=0, le=100)]


class RefundedReply(Reply):
    """What this decision gave back, by asset; nothing when it was made before."""

    by_asset: dict[str, int]
    is_new: bool
