"""Bodies and replies about what a project was granted and has left."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hpc_portal.api.schemas import Body, Reply, Text
from schedulers.instant import Instant


class AssetBalanceReply(Reply):
    """One asset: đồng under `VND`, TRES-seconds under a TRES. granted = available + held + consumed."""

    granted: int
    available: int
    held: int
    consumed: int
    promisable: int
    """What new jobs can still hold, overdraft included."""


class AllocationBalanceReply(Reply):
    """One grant."""

    allocation_id: UUID
    valid_from: datetime
    valid_to: datetime
    state: str
    by_asset: dict[str, AssetBalanceReply]


class BalanceReply(Reply):
    """What a project has, in all and by grant; the grant that ends first is used first."""

    by_asset: dict[str, AssetBalanceReply]
    allocations: list[AllocationBalanceReply]


class GrantBody(Body):
    """A budget for a period, from `valid_from` up to, not including, `valid_to`."""

    lines: dict[Text, Annotated[int, Field(ge=0, lt=2**62)]]
    """Đồng under `VND`, TRES-seconds under a TRES."""
    overdraft: dict[Text, Annotated[int, Field(ge=0, lt=2**62)]] = Field(default_factory=dict)
    valid_from: Instant
    valid_to: Instant
    reason: Text
