"""What happened to allocations beside the movements of their budget: states and periods, for good."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Column, Connection, ForeignKey, Index, Text, insert
from sqlmodel import Field, SQLModel

from quotas.columns import BigSerial, UtcDateTime
from quotas.tables import table_of, text_enum


class AllocationEventKind(StrEnum):
    """What was done to it."""

    EXTENDED = "extended"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    EXPIRED = "expired"
    CLOSED = "closed"
    POLICY = "policy"
    """Arrays are held otherwise from now on."""


class AllocationEvent(SQLModel, table=True):
    """One change of an allocation. Append-only."""

    __tablename__ = "allocation_event"
    __table_args__ = (
        Index("ix_allocation_event_allocation", "allocation_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    allocation_id: UUID = Field(sa_column=Column(ForeignKey("allocation.id"), nullable=False))
    kind: AllocationEventKind = Field(sa_type=text_enum(AllocationEventKind, "kind"))
    was: str = Field(max_length=64)
    became: str = Field(max_length=64)
    actor_id: UUID | None = None
    """None: the portal itself."""
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    at: datetime = Field(sa_type=UtcDateTime)


_INSERT_EVENT = insert(table_of(AllocationEvent))


def record_event(  # noqa: PLR0913 - one row, every column by keyword
    conn: Connection,
    allocation_id: UUID,
    kind: AllocationEventKind,
    *,
    was: str,
    became: str,
    actor_id: UUID | None,
    reason: str,
    at: datetime,
) -> None:
    """Append one change, in the transaction that makes it."""
    conn.execute(
        _INSERT_EVENT,
        {
            "allocation_id": allocation_id,
            "kind": kind,
            "was": was,
            "became": became,
            "actor_id": actor_id,
            "reason": reason,
            "at": at,
        },
    )
