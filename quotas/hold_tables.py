"""The table of holds: what each job has set aside."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, text
from sqlmodel import Field, SQLModel

from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import BigSerial, TresSeconds, UtcDateTime
from quotas.tables import text_enum


class HoldState(StrEnum):
    """Where a hold stands; it ends exactly once."""

    OPEN = "open"
    SETTLED = "settled"
    """Ended, and at least one run of the job was recorded."""
    RELEASED = "released"
    """Ended, and nothing ran."""


class QuotaHold(SQLModel, table=True):
    """What a job has set aside in one asset: a unit for each task that has not ended."""

    __tablename__ = "quota_hold"
    __table_args__ = (
        CheckConstraint("units_open >= 0 AND units_open <= units_total", name="units_in_range"),
        CheckConstraint(
            "unit_amount >= 0 AND open_amount >= 0 AND open_amount <= units_open * unit_amount",
            name="open_amount_in_range",
        ),
        CheckConstraint("(state = 'open') = (units_open > 0)", name="open_while_units"),
        CheckConstraint("units_at_once IS NULL OR units_at_once >= 1", name="units_at_once_positive"),
        Index(
            "ix_quota_hold_open",
            "allocation_id",
            "asset",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    job_id: UUID = Field(primary_key=True)
    """Of the application's job; no foreign key, so that the ledger outlives deleted jobs."""
    allocation_id: UUID = Field(foreign_key="allocation.id", primary_key=True)
    asset: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    project_id: UUID
    partition: str = Field(max_length=64)
    price_list_id: int = Field(sa_column=Column(BigSerial, ForeignKey("price_list.id"), nullable=False))
    subsidy_rule_id: int | None = Field(
        default=None, sa_column=Column(BigSerial, ForeignKey("subsidy_rule.id"), nullable=True)
    )
    unit_amount: int = Field(sa_type=TresSeconds)
    units_total: int
    units_open: int
    units_at_once: int | None = None
    """Of a rolling hold: so many open units are set aside at a time. None: all of them are."""
    open_amount: int = Field(sa_type=TresSeconds)
    """Still held: the units that are set aside x unit_amount, less what could not be topped up."""
    state: HoldState = Field(sa_type=text_enum(HoldState, "state"))
    held_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
