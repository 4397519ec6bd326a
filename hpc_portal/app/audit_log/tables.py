"""Tables of the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel

from quotas.columns import BigSerial, UtcDateTime


class AuditRecord(SQLModel, table=True):
    """Who did what, when and from where: append-only, numbered without gaps, chained by hashes."""

    __tablename__ = "audit_record"
    __table_args__ = (
        Index("ix_audit_record_action", "action", "sequence"),
        Index("ix_audit_record_subject", "subject", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    at: datetime = Field(sa_type=UtcDateTime)
    actor_id: UUID | None = Field(default=None, index=True)
    address: str = Field(default="", max_length=64)
    """Where the request came from; "" where nobody told."""
    action: str = Field(max_length=60)
    subject: str = Field(max_length=200)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    """SHA-256 over the hash before and everything in this row: see chain.py."""


class AuditHead(SQLModel, table=True):
    """The end of the chain, one row: whoever appends locks it, so that records have an order."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(sa_column=Column(BigSerial, primary_key=True, autoincrement=False))
    sequence: int = Field(sa_type=BigSerial)
    hash: str = Field(max_length=64)
