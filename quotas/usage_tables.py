"""Tables of what was used, by day and month, of closed months, and of what does not add up.

Everything in a roll-up can be made anew from the accounting records; `quotas.rebuild_usage` does.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import BigSerial, TresSeconds, UtcDateTime, Vnd
from quotas.tables import text_enum

NOBODY = UUID(int=0)
"""In a roll-up: whoever it was; the row does not tell them apart."""

ANY_STATE = "*"
"""In a roll-up: whatever the state was."""


_NOT_MEASURED = {"server_default": "0"}
"""Of columns younger than the table: a process of the version before writes rows without them."""


class UsageMeasures(SQLModel):
    """What is added up. A run counts once: on the last of its days."""

    runs: int = Field(default=0, sa_type=TresSeconds)
    uncharged_runs: int = Field(default=0, sa_type=TresSeconds)
    """Of them, those whose end is not paid for."""
    elapsed_seconds: int = Field(default=0, sa_type=TresSeconds)
    cpu_seconds: int = Field(default=0, sa_type=TresSeconds)
    """Allocated CPUs x seconds, charged or not; likewise below."""
    gpu_seconds: int = Field(default=0, sa_type=TresSeconds)
    mem_mib_seconds: int = Field(default=0, sa_type=TresSeconds)
    licence_seconds: int = Field(default=0, sa_type=TresSeconds)
    """All licences together; `usage_asset` tells them apart."""
    uncharged_cpu_seconds: int = Field(default=0, sa_type=TresSeconds)
    uncharged_gpu_seconds: int = Field(default=0, sa_type=TresSeconds)
    cpu_measured_seconds: int = Field(default=0, sa_type=TresSeconds)
    """The part of `cpu_seconds` of which it is known how much was really used."""
    used_cpu_seconds: int = Field(default=0, sa_type=TresSeconds)
    """What processes used of `cpu_measured_seconds`."""
    gpu_measured_seconds: int = Field(default=0, sa_type=TresSeconds)
    """The part of `gpu_seconds` of which it is known how long GPUs were at work."""
    gpu_busy_seconds: int = Field(default=0, sa_type=TresSeconds)
    mem_measured_runs: int = Field(default=0, sa_type=TresSeconds, sa_column_kwargs=_NOT_MEASURED)
    """Runs with memory of which it is known how much they needed at most."""
    mem_measured_mib_seconds: int = Field(default=0, sa_type=TresSeconds, sa_column_kwargs=_NOT_MEASURED)
    """The part of `mem_mib_seconds` of these runs."""
    mem_peak_mib_seconds: int = Field(default=0, sa_type=TresSeconds, sa_column_kwargs=_NOT_MEASURED)
    """Of it, what they needed: as if each had needed its peak all the time."""
    waited_runs: int = Field(default=0, sa_type=TresSeconds)
    """Runs of which it is known how long they waited."""
    waited_seconds: int = Field(default=0, sa_type=TresSeconds)
    list_vnd: int = Field(default=0, sa_type=Vnd)
    subsidy_vnd: int = Field(default=0, sa_type=Vnd)
    vnd: int = Field(default=0, sa_type=Vnd)
    """What was charged: list price less subsidy."""


class UsageDay(UsageMeasures, table=True):
    """What was used on one day of the city, in every respect that reports tell apart."""

    __tablename__ = "usage_day"
    __table_args__ = (
        Index("ix_usage_day_project", "project_id", "posted_on"),
        Index("ix_usage_day_organisation", "organisation_id", "posted_on"),
        Index(
            "ix_usage_day_late",
            "day",
            sqlite_where=text("posted_on <> day"),
            postgresql_where=text("posted_on <> day"),
        ),
    )

    posted_on: date = Field(primary_key=True)
    """The day itself, or, when its month was closed already, the first of the month that took it instead."""
    day: date = Field(primary_key=True)
    """In Asia/Ho_Chi_Minh."""
    organisation_id: UUID = Field(primary_key=True)
    project_id: UUID = Field(primary_key=True)
    allocation_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(primary_key=True)
    cluster: str = Field(primary_key=True, max_length=64)
    partition: str = Field(primary_key=True, max_length=64)
    workload: str = Field(primary_key=True, max_length=64)
    """The template's name; "" for none."""
    state: str = Field(primary_key=True, max_length=24)
    gpu_type: str = Field(primary_key=True, max_length=128)
    """"" without GPUs, "untyped", or the types that the run had, joined with "+"."""


class Grain(StrEnum):
    """Which respects the rows of `usage_sum` tell apart; all others are blank in them."""

    CITY_MONTH = "city_month"
    """Month, organisation, cluster, partition, GPU type."""
    CITY_DAY = "city_day"
    """The same, by day."""
    USER = "user"
    """Month, organisation, project, user."""
    PAYER = "payer"
    """Month, organisation, project, allocation, cluster, partition, GPU type."""
    WORK = "work"
    """Month, organisation, cluster, partition, workload, state."""
    CITY_WORK = "city_work"
    """Month, cluster, partition, workload, state, GPU type."""


class UsageSum(UsageMeasures, table=True):
    """What was used in a month or on a day, at several grains: a report reads the smallest that will do."""

    __tablename__ = "usage_sum"

    grain: str = Field(primary_key=True, max_length=12)
    posted_on: date = Field(primary_key=True)
    """As in `usage_day`; by months, the first of the month in which it is posted."""
    day: date = Field(primary_key=True)
    """As in `usage_day`; by months, the same as `posted_on`."""
    organisation_id: UUID = Field(primary_key=True)
    project_id: UUID = Field(primary_key=True)
    allocation_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(primary_key=True)
    cluster: str = Field(primary_key=True, max_length=64)
    partition: str = Field(primary_key=True, max_length=64)
    workload: str = Field(primary_key=True, max_length=64)
    state: str = Field(primary_key=True, max_length=24)
    gpu_type: str = Field(primary_key=True, max_length=128)


class UsageAsset(SQLModel, table=True):
    """What was used of each TRES, and charged of each asset, by allocation and month: statements."""

    __tablename__ = "usage_asset"
    __table_args__ = (Index("ix_usage_asset_project", "project_id", "month"),)

    month: date = Field(primary_key=True)
    is_late: bool = Field(primary_key=True)
    project_id: UUID = Field(primary_key=True)
    allocation_id: UUID = Field(primary_key=True)
    asset: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    """A TRES, or VND."""
    used: int = Field(sa_type=TresSeconds)
    """Charged or not; for VND the list price of what was charged."""
    charged: int = Field(sa_type=TresSeconds)


class AccountingBooks(SQLModel, table=True):
    """One row: the first open month. Whoever folds shares its lock, whoever closes a month owns it."""

    __tablename__ = "accounting_books"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(primary_key=True)
    open_from: date
    """The first of a month; all before it are closed. 0001-01-01 before any was."""


class UnfoldedPeaks(SQLModel, table=True):
    """One row while records older than measures of memory wait for them; none when all were looked at."""

    __tablename__ = "unfolded_peaks"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(primary_key=True)
    up_to: int = Field(sa_type=TresSeconds)
    """The newest record that was not looked at yet."""


class ClosedMonth(SQLModel, table=True):
    """A month of which nothing changes any more. Append-only."""

    __tablename__ = "closed_month"

    month: date = Field(primary_key=True)
    closed_at: datetime = Field(sa_type=UtcDateTime)
    closed_by: UUID | None = None
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    """Why it was closed although ended jobs of it were not settled; "" when all were."""
    sha256: str = Field(max_length=64)
    """Of the statements of all projects, in the order of their ids, chained to the month before."""


class ClosedStatement(SQLModel, table=True):
    """A project's statement of a closed month, word for word. Append-only."""

    __tablename__ = "closed_statement"

    month: date = Field(foreign_key="closed_month.month", primary_key=True)
    project_id: UUID = Field(primary_key=True, index=True)
    organisation_id: UUID
    body: str = Field(sa_column=Column(Text, nullable=False))
    """JSON, keys in order, no blanks."""
    sha256: str = Field(max_length=64)
    """Of the body."""


class DiscrepancyKind(StrEnum):
    """Who found that something does not add up."""

    LEDGER = "ledger"
    """`quotas.verify`."""
    DAY_AUDIT = "day_audit"
    """A day of the roll-ups, made anew from the records, is another."""
    CLUSTER_DAY = "cluster_day"
    """The cluster's accounting has another sum for an account and day."""
    NO_RECORD = "no_record"
    """A run ended long ago and its cluster has not accounted it."""
    UNKNOWN_ACCOUNT = "unknown_account"
    """Used under an account or by a user that the portal does not know: in suspense, charged to nobody."""


class DiscrepancyState(StrEnum):
    """What became of it."""

    OPEN = "open"
    EXPLAINED = "explained"
    """It is as found, and somebody said why that is right; finding it again changes nothing."""
    RESOLVED = "resolved"
    """It was put right; found again, it is open again."""


class DiscrepancyRow(SQLModel, table=True):
    """Something that does not add up, until somebody has explained or resolved it."""

    __tablename__ = "discrepancy"
    __table_args__ = (
        Index(
            "ix_discrepancy_open",
            "id",
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    kind: DiscrepancyKind = Field(sa_type=text_enum(DiscrepancyKind, "kind"))
    key: str = Field(unique=True, max_length=255)
    """What it is about: the same finding again is the same row."""
    facts: dict[str, Any] = Field(sa_type=JSON)
    found_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    """When it was found again, last."""
    state: DiscrepancyState = Field(sa_type=text_enum(DiscrepancyState, "state"))
    decided_by: UUID | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
