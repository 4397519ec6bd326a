"""Tables of service accounts: each is a row of `user_account` without a password, and these beside it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime
from quotas.tables import text_enum


class ServiceEnd(StrEnum):
    """Why a service account is over."""

    ENDED = "ended"
    """Somebody ended it."""
    EXPIRED = "expired"
    PROJECT_CLOSED = "project_closed"
    NO_OWNER = "no_owner"
    """The last person who answered for it left the project, or the portal."""


class ServiceAccount(SQLModel, table=True):
    """What makes an account a service account."""

    __tablename__ = "service_account"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    project_id: UUID = Field(foreign_key="project.id", index=True)
    """The only one that it works in."""
    purpose: str = Field(max_length=200)
    created_by: UUID | None = None
    """None for the operator on the machine."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_why: ServiceEnd | None = Field(
        default=None, sa_type=text_enum(ServiceEnd, "ended_why"), nullable=True
    )


class ServiceOwner(SQLModel, table=True):
    """A person who answers for a service account, as long as they are in its project."""

    __tablename__ = "service_owner"

    service_id: UUID = Field(foreign_key="service_account.user_id", primary_key=True)
    owner_id: UUID = Field(foreign_key="user_account.id", primary_key=True, index=True)
