"""Tables of tenants, prices, grants and the ledger. They know no users and no jobs: only their ids."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)
from sqlmodel import Field, SQLModel

from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import BigSerial, TresSeconds, UtcDateTime, Vnd
from quotas.limits import EVERYBODY, LimitKind, LimitOwner
from schedulers.jobstate import JobState

BALANCE_LIMIT = 4 * 10**18
"""No balance goes beyond this, so that 64-bit sums never wrap (or turn to floats, on SQLite)."""


class OrganisationKind(StrEnum):
    """What kind of tenant: prices and reports tell them apart."""

    UNIVERSITY = "university"
    TRAINING_CENTRE = "training_centre"
    STARTUP = "startup"
    CITY = "city"


class TenantState(StrEnum):
    """Whether an organisation or project may submit."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Submits nothing; what runs goes on."""
    CLOSED = "closed"


def text_enum(kind: type[StrEnum], name: str) -> Enum:
    """An enum column stored as its values in plain text, checked by a named constraint."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        length=24,
        create_constraint=True,
        values_callable=lambda k: [m.value for m in k],
    )


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model, for the Core statements of hot paths."""
    return cast("Table", inspect(model).local_table)


class Organisation(SQLModel, table=True):
    """A tenant: a university, the training centre, a startup, the city."""

    __tablename__ = "organisation"

    id: UUID = Field(primary_key=True)
    slug: str = Field(unique=True, max_length=40)
    name: str = Field(max_length=200)
    kind: OrganisationKind = Field(sa_type=text_enum(OrganisationKind, "organisation_kind"))
    state: TenantState = Field(
        default=TenantState.ACTIVE,
        sa_type=text_enum(TenantState, "organisation_state"),
    )
    created_at: datetime = Field(sa_type=UtcDateTime)


class Project(SQLModel, table=True):
    """Who pays for a job: a project of one organisation. `account` is its name on the cluster."""

    __tablename__ = "project"

    id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    account: str = Field(unique=True, max_length=40)
    name: str = Field(max_length=200)
    state: TenantState = Field(
        default=TenantState.ACTIVE,
        sa_type=text_enum(TenantState, "project_state"),
    )
    created_at: datetime = Field(sa_type=UtcDateTime)


class PriceListState(StrEnum):
    """Where a price list stands: it is kept for ever. Those in the making are in price_tables.py."""

    PUBLISHED = "published"
    RETIRED = "retired"
    """Prices no new job; jobs that were held at it still settle at it."""


class PriceListRow(SQLModel, table=True):
    """A version of the prices. Every hold pins the one it was made at."""

    __tablename__ = "price_list"
    __table_args__ = (Index("ix_price_list_current", "state", "valid_from"),)

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    version: int = Field(unique=True)
    state: PriceListState = Field(sa_type=text_enum(PriceListState, "state"))
    valid_from: datetime = Field(sa_type=UtcDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    published_by: UUID | None = None
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retired_by: UUID | None = None


class PriceItemRow(SQLModel, table=True):
    """What an hour of one resource costs; a partition's own price goes before the general one."""

    __tablename__ = "price_item"
    __table_args__ = (CheckConstraint("rate_vnd_per_hour >= 0", name="rate_not_negative"),)

    price_list_id: int = Field(
        sa_column=Column(BigSerial, ForeignKey("price_list.id"), primary_key=True, autoincrement=False)
    )
    tres: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    partition: str = Field(default="", primary_key=True, max_length=64)
    """ "" for all partitions."""
    rate_vnd_per_hour: int = Field(sa_type=Vnd)
    """For one unit: a CPU, a GPU, a licence; for `mem`, one GiB."""


class AllocationState(StrEnum):
    """Where a grant stands."""

    PENDING = "pending"
    ACTIVE = "active"
    """Pays for new jobs inside its period."""
    SUSPENDED = "suspended"
    """Pays for no new job; held budget still finishes its jobs."""
    EXPIRED = "expired"
    CLOSED = "closed"


class HoldPolicy(StrEnum):
    """How much of an array job is set aside at submit."""

    STRICT = "strict"
    """All of its tasks: whatever starts can be paid."""
    ROLLING = "rolling"
    """Only as many as run at once (its throttle); the hold rolls on as tasks end and budget is left."""


class Allocation(SQLModel, table=True):
    """Budget granted to a project for a half-open period."""

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("valid_from < valid_to", name="period_not_empty"),
        Index("ix_allocation_usable", "project_id", "state", "valid_to"),
    )

    id: UUID = Field(primary_key=True)
    project_id: UUID = Field(foreign_key="project.id")
    valid_from: datetime = Field(sa_type=UtcDateTime)
    valid_to: datetime = Field(sa_type=UtcDateTime)
    state: AllocationState = Field(sa_type=text_enum(AllocationState, "state"))
    grant_key: str = Field(unique=True, max_length=200)
    """The idempotency key of the grant: the same key never grants twice."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    parent_id: UUID | None = Field(default=None, foreign_key="allocation.id", index=True)
    """The allocation that this one was split from; what is left of it can go back there."""
    hold_policy: HoldPolicy = Field(
        default=HoldPolicy.STRICT,
        sa_column=Column(
            text_enum(HoldPolicy, "hold_policy"), nullable=False, server_default=HoldPolicy.STRICT.value
        ),
    )


class AccountKind(StrEnum):
    """What an amount in an account is."""

    PROGRAMME = "programme"
    """Where grants come from: goes below zero by what was granted."""
    AVAILABLE = "available"
    HELD = "held"
    """Promised to jobs that have not ended."""
    CONSUMED = "consumed"
    SUBSIDY = "subsidy"
    EXPIRED = "expired"
    WRITEOFF = "writeoff"


class AccountOwner(StrEnum):
    """Whose account it is."""

    PROGRAMME = "programme"
    ALLOCATION = "allocation"


class LedgerAccount(SQLModel, table=True):
    """A place where an amount of one asset is; `balance` caches the sum of its entries."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("owner_kind", "owner_id", "kind", "asset"),
        CheckConstraint("overdraft >= 0", name="overdraft_not_negative"),
        CheckConstraint(
            "kind NOT IN ('held', 'consumed') OR balance >= 0", name="held_consumed_not_negative"
        ),
        CheckConstraint(f"balance BETWEEN -{BALANCE_LIMIT} AND {BALANCE_LIMIT}", name="balance_in_range"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    owner_kind: AccountOwner = Field(sa_type=text_enum(AccountOwner, "owner_kind"))
    owner_id: UUID
    kind: AccountKind = Field(sa_type=text_enum(AccountKind, "kind"))
    asset: str = Field(max_length=LONGEST_ASSET_NAME)
    balance: int = Field(default=0, sa_type=TresSeconds)
    overdraft: int = Field(default=0, sa_type=TresSeconds)
    """How far below zero holds may take it."""


class AllocationLine(SQLModel, table=True):
    """One asset of an allocation, and its accounts: ids rise from all available to held to consumed."""

    __tablename__ = "allocation_line"
    __table_args__ = (CheckConstraint("granted >= 0", name="granted_not_negative"),)

    allocation_id: UUID = Field(foreign_key="allocation.id", primary_key=True)
    asset: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    granted: int = Field(sa_type=TresSeconds)
    """As first granted; what it is now is the ledger's to say."""
    available_id: int = Field(sa_column=Column(BigSerial, ForeignKey("ledger_account.id"), nullable=False))
    held_id: int = Field(sa_column=Column(BigSerial, ForeignKey("ledger_account.id"), nullable=False))
    consumed_id: int = Field(sa_column=Column(BigSerial, ForeignKey("ledger_account.id"), nullable=False))


class TransferKind(StrEnum):
    """Why amounts moved."""

    GRANT = "grant"
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    REFUND = "refund"
    CORRECT = "correct"
    EXPIRE = "expire"
    """What nobody used of a period that ended, and of a closed allocation."""
    ADJUST = "adjust"
    """An administrator granted more, or took free budget back: the programme against available."""
    MOVE = "move"
    """From one allocation to another that was split from it, or back."""
    CARRY = "carry"
    """What was left of an ended allocation, into the one that renews it."""


class Transfer(SQLModel, table=True):
    """One event of the ledger; its entries sum to zero for every asset. Append-only."""

    __tablename__ = "transfer"
    __table_args__ = (
        Index(
            "ix_transfer_few",
            "booked_at",
            sqlite_where=text("kind NOT IN ('hold', 'settle', 'release', 'correct')"),
            postgresql_where=text("kind NOT IN ('hold', 'settle', 'release', 'correct')"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    kind: TransferKind = Field(sa_type=text_enum(TransferKind, "kind"))
    idempotency_key: str = Field(unique=True, max_length=255)
    effective_at: datetime = Field(sa_type=UtcDateTime)
    booked_at: datetime = Field(sa_type=UtcDateTime)
    actor_id: UUID | None = None
    job_id: UUID | None = Field(default=None, index=True)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    reverses: int | None = Field(
        default=None, sa_column=Column(BigSerial, ForeignKey("transfer.id"), nullable=True)
    )


class Entry(SQLModel, table=True):
    """What one transfer did to one account. Append-only."""

    __tablename__ = "entry"
    __table_args__ = (CheckConstraint("amount <> 0", name="amount_not_zero"),)

    transfer_id: int = Field(
        sa_column=Column(BigSerial, ForeignKey("transfer.id"), primary_key=True, autoincrement=False)
    )
    account_id: int = Field(
        sa_column=Column(
            BigSerial, ForeignKey("ledger_account.id"), primary_key=True, autoincrement=False, index=True
        )
    )
    amount: int = Field(sa_type=TresSeconds)


class AccountingRecord(SQLModel, table=True):
    """What one run of a job used and cost. Append-only: a corrected fact is a new revision."""

    __tablename__ = "accounting_record"
    __table_args__ = (
        UniqueConstraint("run_key", "revision"),
        CheckConstraint("elapsed_seconds >= 0 AND vnd >= 0 AND revision >= 0", name="not_negative"),
        CheckConstraint("subsidy_vnd >= 0", name="subsidy_not_negative"),
        Index("ix_accounting_record_project", "project_id", "ended_at"),
        Index("ix_accounting_record_ended", "ended_at"),
        Index(
            "ix_accounting_record_uncharged",
            "allocation_id",
            sqlite_where=text("NOT is_charged AND elapsed_seconds > 0"),
            postgresql_where=text("NOT is_charged AND elapsed_seconds > 0"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    run_key: str = Field(max_length=120)
    revision: int = 0
    job_id: UUID = Field(index=True)
    project_id: UUID
    user_id: UUID
    allocation_id: UUID = Field(foreign_key="allocation.id")
    price_list_id: int = Field(sa_column=Column(BigSerial, ForeignKey("price_list.id"), nullable=False))
    partition: str = Field(max_length=64)
    state: JobState = Field(sa_type=text_enum(JobState, "state"))
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime = Field(sa_type=UtcDateTime)
    elapsed_seconds: int
    tres_seconds: dict[str, Any] = Field(sa_type=JSON)
    """What it used, charged or not."""
    is_charged: bool
    """Whether the end state is one that is paid for."""
    free_seconds_per_job: int | None = Field(default=None, sa_type=TresSeconds)
    """Of a charged end: so many seconds that runs of its job lost so are given back, as decided then."""
    vnd: int = Field(sa_type=Vnd)
    """Net: what was paid. The list price is `vnd + subsidy_vnd`."""
    subsidy_rule_id: int | None = Field(
        default=None, sa_column=Column(BigSerial, ForeignKey("subsidy_rule.id"), nullable=True)
    )
    subsidy_vnd: int = Field(default=0, sa_type=Vnd)
    content_hash: str = Field(max_length=64)
    """SHA-256 of the facts: the same key with another hash is a revision."""
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    open_from: date | None = None
    """The first open month when it was recorded: earlier days were posted there. None: before roll-ups."""
    cluster: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    workload: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    """The template's name; "" for none."""
    used_cpu_seconds: int | None = Field(default=None, sa_type=TresSeconds)
    gpu_busy_seconds: int | None = Field(default=None, sa_type=TresSeconds)
    peak_mem_mib: int | None = Field(default=None, sa_type=TresSeconds)
    waited_seconds: int | None = Field(default=None, sa_type=TresSeconds)


class QuotaLimit(SQLModel, table=True):
    """A limit set for an organisation, a project, a person, or a person within a project."""

    __tablename__ = "quota_limit"
    __table_args__ = (CheckConstraint("value >= 0", name="value_not_negative"),)

    owner_kind: LimitOwner = Field(sa_type=text_enum(LimitOwner, "owner_kind"), primary_key=True)
    owner_id: UUID = Field(primary_key=True)
    """`limits.EVERYBODY` for a default: it counts for all of that kind who have none of their own."""
    within_id: UUID = Field(default=EVERYBODY, primary_key=True)
    """The project, for a limit of a person within one."""
    kind: LimitKind = Field(sa_type=text_enum(LimitKind, "kind"), primary_key=True)
    gpu_type: str = Field(default="", primary_key=True, max_length=64)
    """For GPU limits: one type, or "" for all together."""
    value: int
    set_by: UUID | None = None
    set_at: datetime = Field(sa_type=UtcDateTime)
