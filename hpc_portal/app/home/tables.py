"""When people were last here."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class HomeVisit(SQLModel, table=True):
    """The start page's memory of one person."""

    __tablename__ = "home_visit"

    user_id: UUID = Field(foreign_key="user_account.id", primary_key=True)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    """When they last opened the start page, give or take `visits.GRAIN`."""
    away_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the visit before this one ended; null: this is the first."""
