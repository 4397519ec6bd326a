"""Tables of campaigns: their runs, the result of each task, and how each test did."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from quotas.columns import BigSerial, UtcDateTime, Uuid, Vnd
from quotas.tables import text_enum
from workloads.template import Verdict


class RunKind(StrEnum):
    """Why a job of a campaign was submitted."""

    FIRST = "first"
    SAME_SEEDS = "same_seeds"
    """Again what did not pass, as it was."""
    NEW_SEEDS = "new_seeds"
    """Again what did not pass, with other random sequences."""


class StoppedBy(StrEnum):
    """Why no further task of a run was started."""

    FAILURES = "failures"
    """So many did not pass as its rule allows."""
    COST = "cost"
    """The campaign was charged as much as its cap."""
    PERSON = "person"


class Campaign(SQLModel, table=True):
    """A named set of tasks, such as a nightly regression; those of one name in a project are compared."""

    __tablename__ = "campaign"
    __table_args__ = (
        Index("ix_campaign_project_list", "project_id", "id"),
        Index("ix_campaign_name", "project_id", "name", "id"),
    )

    id: UUID = Field(primary_key=True)
    """UUIDv7: later campaigns have larger ids, so lists page by it."""
    project_id: UUID = Field(foreign_key="project.id")
    user_id: UUID = Field(foreign_key="user_account.id")
    name: str = Field(max_length=128)
    template: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)
    stop_failures: int | None = None
    """Of its first run; reruns are of failures anyway."""
    stop_cost_vnd: int | None = Field(default=None, sa_type=Vnd, nullable=True)
    """Of all its runs together."""


class CampaignRun(SQLModel, table=True):
    """One job of a campaign: number 0 is its first run, the others are reruns."""

    __tablename__ = "campaign_run"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number"),
        Index(
            "ix_campaign_run_unread",
            "job_id",
            sqlite_where=text("is_read = 0"),
            postgresql_where=text("NOT is_read"),
        ),
    )

    job_id: UUID = Field(sa_column=Column(Uuid(), ForeignKey("job.id"), primary_key=True))
    campaign_id: UUID = Field(foreign_key="campaign.id")
    number: int
    kind: RunKind = Field(sa_type=text_enum(RunKind, "kind"))
    with_waves: bool = False
    results: int = 0
    """How many tasks have a result here."""
    metrics: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}")
    )
    """Of the run as a whole, such as merged coverage; known once it is read."""
    is_read: bool = False
    """The job is over and every result that it left was read."""
    stopped_by: StoppedBy | None = Field(
        default=None, sa_type=text_enum(StoppedBy, "stopped_by"), nullable=True
    )
    stopped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CampaignResult(SQLModel, table=True):
    """What one task of a run achieved, read from its workspace once, when it had ended."""

    __tablename__ = "campaign_result"
    __table_args__ = (
        UniqueConstraint("job_id", "task_index"),
        Index("ix_campaign_result_group", "job_id", "verdict", "signature"),
        Index("ix_campaign_result_live", "job_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: int | None = Field(
        default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True)
    )
    """Grows within a run, so that pages ask only for what is new."""
    job_id: UUID = Field(foreign_key="job.id")
    task_index: int
    row_name: str = Field(max_length=200)
    column_name: str = Field(max_length=64)
    label: str = Field(max_length=300)
    verdict: Verdict = Field(sa_type=text_enum(Verdict, "verdict"))
    build: str = Field(default="", max_length=64)
    wall_ms: int = 0
    length: float | None = None
    """How long until it failed, in the bench's own measure (cycles), else in seconds."""
    signature: str = Field(default="", max_length=400)
    line: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    file: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    line_number: int = 0
    metrics: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    artefacts: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)


class CampaignTest(SQLModel, table=True):
    """How the tasks of one row (a test in a configuration) of a run did: sums over its results."""

    __tablename__ = "campaign_test"

    job_id: UUID = Field(sa_column=Column(Uuid(), ForeignKey("job.id"), primary_key=True))
    row_name: str = Field(primary_key=True, max_length=200)
    passed: int = 0
    failed: int = 0
    no_verdict: int = 0
    wall_ms: int = Field(default=0, sa_type=BigInteger)
    """Of all its tasks together."""
    covered: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """How many of its tasks told how many points they hit."""
    coverage_points: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    """That these tasks hit together, each counted by itself."""
