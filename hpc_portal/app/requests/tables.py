"""Tables of requests for quota: what was asked and granted, every transition, and what was attached."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from hpc_portal.app.requests.transitions import Deed, RequestKind, RequestState
from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import BigSerial, TresSeconds, UtcDateTime
from quotas.tables import text_enum


class QuotaRequest(SQLModel, table=True):
    """A project asks for budget for a period."""

    __tablename__ = "quota_request"
    __table_args__ = (
        CheckConstraint("valid_from < valid_to", name="period_not_empty"),
        UniqueConstraint("requested_by", "draft_key"),
        Index("ix_quota_request_project", "project_id", "id"),
        Index("ix_quota_request_organisation", "organisation_id", "id"),
        Index("ix_quota_request_inbox", "state", "submitted_at"),
    )

    id: UUID = Field(primary_key=True)
    """UUIDv7: later requests have larger ids. The key of what it grants is made from it."""
    organisation_id: UUID = Field(foreign_key="organisation.id")
    project_id: UUID = Field(foreign_key="project.id")
    requested_by: UUID = Field(foreign_key="user_account.id")
    draft_key: str | None = Field(default=None, max_length=200)
    """The Idempotency-Key that it was drafted with."""
    kind: RequestKind = Field(sa_type=text_enum(RequestKind, "request_kind"))
    state: RequestState = Field(sa_type=text_enum(RequestState, "request_state"))
    version: int
    """Grows with every change: a decision names the one that was read."""
    allocation_id: UUID | None = Field(default=None, foreign_key="allocation.id")
    """What is to be renewed, extended or increased."""
    valid_from: datetime = Field(sa_type=UtcDateTime)
    valid_to: datetime = Field(sa_type=UtcDateTime)
    """Not included."""
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)
    submitted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: UUID | None = Field(default=None, foreign_key="user_account.id")
    granted_to: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The end of what was granted, which may be earlier than asked."""
    granted_allocation_id: UUID | None = Field(default=None, foreign_key="allocation.id")


class RequestLine(SQLModel, table=True):
    """One asset of a request."""

    __tablename__ = "request_line"
    __table_args__ = (
        CheckConstraint("asked > 0", name="asked_positive"),
        CheckConstraint("granted BETWEEN 0 AND asked", name="granted_within_asked"),
    )

    request_id: UUID = Field(foreign_key="quota_request.id", primary_key=True)
    asset: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    asked: int = Field(sa_type=TresSeconds)
    granted: int | None = Field(default=None, sa_type=TresSeconds, nullable=True)
    """None until it is decided."""
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    """Why so much of it is needed."""


class RequestEvent(SQLModel, table=True):
    """Something that was done with a request; rows are only ever added."""

    __tablename__ = "request_event"
    __table_args__ = (
        Index("ix_request_event_request", "request_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    request_id: UUID = Field(foreign_key="quota_request.id")
    deed: Deed = Field(sa_type=text_enum(Deed, "deed"))
    state_before: RequestState | None = Field(
        default=None, sa_type=text_enum(RequestState, "state_before"), nullable=True
    )
    state_after: RequestState = Field(sa_type=text_enum(RequestState, "state_after"))
    at: datetime = Field(sa_type=UtcDateTime)
    by_id: UUID | None = Field(default=None, foreign_key="user_account.id")
    """None for the operator on the machine."""
    message: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Lines and period as they were after it."""


class RequestAttachment(SQLModel, table=True):
    """A file that belongs to a request; its bytes lie in the folder of attachments, under its id."""

    __tablename__ = "request_attachment"

    id: UUID = Field(primary_key=True)
    request_id: UUID = Field(foreign_key="quota_request.id", index=True)
    name: str = Field(max_length=200)
    """As people see it; never a path."""
    media_type: str = Field(max_length=100)
    size_bytes: int = Field(sa_type=BigInteger)
    sha256: str = Field(max_length=64)
    added_by: UUID = Field(foreign_key="user_account.id")
    added_at: datetime = Field(sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
