"""Tables of announcements: what is announced to whom until when, and who has put which one aside."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Text
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class Announcement(SQLModel, table=True):
    """One announcement in both languages; its words never change, it can only end earlier."""

    __tablename__ = "announcement"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        Index("ix_announcement_ends_at", "ends_at"),
    )

    id: UUID = Field(primary_key=True)
    key: str = Field(unique=True, max_length=150)
    """The same key never announces twice."""
    organisation_id: UUID | None = Field(default=None, foreign_key="organisation.id")
    """Null: for everybody."""
    is_urgent: bool
    text_vi: str = Field(sa_column=Column(Text, nullable=False))
    text_en: str = Field(sa_column=Column(Text, nullable=False))
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    announced_by: UUID | None = None
    """Null: the operator on the machine."""
    announced_at: datetime = Field(sa_type=UtcDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AnnouncementDismissal(SQLModel, table=True):
    """A person does not want to see an announcement on every page any more."""

    __tablename__ = "announcement_dismissal"

    announcement_id: UUID = Field(foreign_key="announcement.id", primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    dismissed_at: datetime = Field(sa_type=UtcDateTime)
