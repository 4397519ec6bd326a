"""What the months of the books and their work list look like over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from hpc_portal.api.schemas import Body, Reply
from hpc_portal.app.accounting.work_list import WorkItem
from quotas.usage_tables import DiscrepancyKind, DiscrepancyState

Month = Annotated[str, Field(pattern=r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


class MonthReply(Reply):
    """A month of the books."""

    month: date
    """Its first day."""
    is_closed: bool
    is_next: bool
    """The one to be closed next."""
    is_over: bool
    closed_at: datetime | None
    closed_by: str | None
    reason: str
    """Why it was closed although something of it was not settled."""
    sha256: str | None
    """Of all its statements, chained to the month before."""
    unsettled: int
    """Of the next one: how many ended runs wait for their settlement."""


class CloseMonthBody(Body):
    """Close the next month for good."""

    month: Month
    reason: str = ""
    """Needed only while something of it is not settled."""


class ClosedReply(Reply):
    """The month that was closed."""

    month: date
    closed_at: datetime
    reason: str
    sha256: str


class CheckReply(Reply):
    """When a check of the books was last made."""

    name: str
    """`books`, or `cluster:<name>`."""
    checked_at: datetime | None
    facts: dict[str, Any]


class DiscrepancyReply(Reply):
    """Something that does not add up, and what became of it."""

    id: int
    kind: DiscrepancyKind
    key: str
    facts: dict[str, Any]
    found_at: datetime
    seen_at: datetime
    state: DiscrepancyState
    decided_by: str | None
    """None while it is open, and when it was gone by itself."""
    decided_at: datetime | None
    reason: str

    @classmethod
    def of(cls, item: WorkItem) -> "DiscrepancyReply":
        """Of one item of the work list."""
        found = item.found
        return cls(
            id=found.id,
            kind=found.kind,
            key=found.key,
            facts=dict(found.facts),
            found_at=found.found_at,
            seen_at=found.seen_at,
            state=found.state,
            decided_by=item.decided_by,
            decided_at=found.decided_at,
            reason=found.reason,
        )


class DiscrepancyDecisionBody(Body):
    """Why it is right as it is (`explained`), or that it was put right (`resolved`)."""

    state: DiscrepancyState
    reason: str
