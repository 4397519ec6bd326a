"""The table of refund cases: what somebody asked to get back, and what was decided."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime
from quotas.tables import text_enum


class RefundCaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    APPROVED = "approved"
    PARTLY_APPROVED = "partly_approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    """By whoever raised it, before anybody decided."""


class RefundCase(SQLModel, table=True):
    """One wish to get back a share of what a job was charged."""

    __tablename__ = "refund_case"
    __table_args__ = (
        CheckConstraint("asked_percent BETWEEN 1 AND 100", name="asked_in_range"),
        CheckConstraint("granted_percent BETWEEN 0 AND 100", name="granted_in_range"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_once"),
        Index(
            "uq_refund_case_open",
            "job_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_refund_case_list", "state", "raised_at"),
    )

    id: UUID = Field(primary_key=True)
    job_id: UUID = Field(foreign_key="job.id", index=True)
    raised_by: UUID = Field(foreign_key="user_account.id")
    raised_at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(sa_column=Column(Text, nullable=False))
    asked_percent: int
    state: RefundCaseState = Field(sa_type=text_enum(RefundCaseState, "state"))
    decided_by: UUID | None = Field(default=None, foreign_key="user_account.id")
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decision: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    """Why, in the words of whoever decided."""
    granted_percent: int | None = None
