"""Tables of what happens to tenants: changes of their state, invitations, classes and the students' seats."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from quotas.columns import BigSerial, UtcDateTime
from quotas.tables import TenantState, text_enum


class TenantStateChange(SQLModel, table=True):
    """Who suspended, resumed or closed an organisation or project, and why. Append-only by habit."""

    __tablename__ = "tenant_state_change"
    __table_args__ = (
        Index("ix_tenant_state_change_tenant", "tenant_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    tenant_id: UUID
    """Of an organisation or a project: ids are unique over both."""
    was: TenantState = Field(sa_type=text_enum(TenantState, "was"))
    state: TenantState = Field(sa_type=text_enum(TenantState, "state"))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    """Shown to everybody of the tenant."""
    changed_by: UUID | None = None
    """None for the operator on the machine."""
    by_city: bool
    """By an administrator: then only an administrator resumes it."""
    at: datetime = Field(sa_type=UtcDateTime)


class Invitation(SQLModel, table=True):
    """A place offered to whoever reads an address. The link holds the secret, the table its SHA-256.

    Nothing here says whether the address belongs to a person with an account: who invites never learns it.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("accepted_at IS NULL OR revoked_at IS NULL", name="accepted_or_revoked"),
        Index(
            "uq_invitation_open",
            "place_id",
            "email",
            unique=True,
            sqlite_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
            postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
        ),
        Index("ix_invitation_inviter", "invited_by", "sent_at"),
    )

    id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    project_id: UUID | None = Field(default=None, foreign_key="project.id")
    place_id: UUID
    """The project, or the organisation when it is for no project."""
    role: str = Field(max_length=24)
    """An OrganisationRole, or a ProjectRole when it is for a project."""
    email: str = Field(max_length=254)
    """In small letters."""
    token_hash: str = Field(unique=True, max_length=64)
    locale: str = Field(max_length=5)
    invited_by: UUID | None = None
    """None for the operator on the machine."""
    invited_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime = Field(sa_type=UtcDateTime)
    times_sent: int = 1
    expires_at: datetime = Field(sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_by: UUID | None = Field(default=None, foreign_key="user_account.id")
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ClassPool(SQLModel, table=True):
    """A class: a course's budget split over its students until term end; each has a project of their own."""

    __tablename__ = "class_pool"
    __table_args__ = (
        Index(
            "ix_class_pool_open",
            "ends_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    project_id: UUID = Field(foreign_key="project.id", index=True)
    """The course, whose leads are the teachers."""
    allocation_id: UUID = Field(foreign_key="allocation.id")
    """What is split."""
    name: str = Field(max_length=200)
    key: str = Field(unique=True, max_length=200)
    """The idempotency key that it was made with."""
    request_hash: str = Field(max_length=64)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    created_by: UUID | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When its projects were closed: at term end, or before."""


class ClassSeat(SQLModel, table=True):
    """A student's place in a class, and the small project that is theirs."""

    __tablename__ = "class_seat"
    __table_args__ = (UniqueConstraint("pool_id", "student"),)

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    pool_id: UUID = Field(foreign_key="class_pool.id")
    student: str = Field(max_length=254)
    """A user name, or an address that was invited, in small letters."""
    allocation_id: UUID = Field(foreign_key="allocation.id")
    """What was split off for them."""
    added_at: datetime = Field(sa_type=UtcDateTime)
