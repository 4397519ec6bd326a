"""Tables of licences: the last word of each server, and what is kept for projects."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class LicenseServer(SQLModel, table=True):
    """What one licence server said when it was asked last, and when it last answered."""

    __tablename__ = "license_server"

    address: str = Field(primary_key=True, max_length=255)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """None: never. `report` is of then."""
    problem: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    """Why it did not answer the last time; "" when it did."""
    report: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class LicenseReservation(SQLModel, table=True):
    """So many licences of a feature are kept for one project's jobs."""

    __tablename__ = "license_reservation"
    __table_args__ = (CheckConstraint("count > 0", name="count_above_zero"),)

    feature: str = Field(primary_key=True, max_length=64)
    project_id: UUID = Field(primary_key=True, foreign_key="project.id")
    count: int
