"""Filters of the list of jobs that people keep under a name."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class SavedView(SQLModel, table=True):
    """One person's filter. What it shows is decided by who opens it: others may be given its address."""

    __tablename__ = "saved_view"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    name: str = Field(primary_key=True, max_length=60)
    query: str = Field(max_length=1000)
    """As it stands behind `/jobs?`."""
    saved_at: datetime = Field(sa_type=UtcDateTime)
