"""Usage by day and its sums, closed months with their statements, and what does not add up.

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import quotas.columns
from quotas.append_only import append_only_ddl, drop_append_only_ddl
from quotas.freeze_months import freeze_ddl, unfreeze_ddl

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("closed_month", "closed_statement")
_MEASURES = (
    "runs",
    "uncharged_runs",
    "elapsed_seconds",
    "cpu_seconds",
    "gpu_seconds",
    "mem_mib_seconds",
    "licence_seconds",
    "uncharged_cpu_seconds",
    "uncharged_gpu_seconds",
    "cpu_measured_seconds",
    "used_cpu_seconds",
    "gpu_measured_seconds",
    "gpu_busy_seconds",
    "waited_runs",
    "waited_seconds",
    "list_vnd",
    "subsidy_vnd",
    "vnd",
)
_FEW_KINDS = sa.text("kind NOT IN ('hold', 'settle', 'release', 'correct')")
_LATE = sa.text("posted_on <> day")
_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    _roll_ups()
    _closed_months()
    _discrepancies()
    op.create_index(
        "ix_transfer_few", "transfer", ["booked_at"], sqlite_where=_FEW_KINDS, postgresql_where=_FEW_KINDS
    )
    for column in (
        sa.Column("open_from", sa.Date(), nullable=True),
        sa.Column("cluster", sa.String(length=64), server_default="", nullable=False),
        sa.Column("workload", sa.String(length=64), server_default="", nullable=False),
        sa.Column("used_cpu_seconds", sa.BigInteger(), nullable=True),
        sa.Column("gpu_busy_seconds", sa.BigInteger(), nullable=True),
        sa.Column("waited_seconds", sa.BigInteger(), nullable=True),
    ):
        op.add_column("accounting_record", column)
    op.create_index("ix_accounting_record_ended", "accounting_record", ["ended_at"])
    dialect = op.get_bind().dialect.name
    for statement in [*append_only_ddl(dialect, _APPEND_ONLY), *freeze_ddl(dialect)]:
        op.execute(statement)


def _roll_ups() -> None:
    op.create_table(
        "usage_day",
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *_respects(),
        *_measures(),
        sa.PrimaryKeyConstraint("posted_on", "day", *(c.name for c in _respects()), name="pk_usage_day"),
    )
    op.create_index("ix_usage_day_project", "usage_day", ["project_id", "posted_on"])
    op.create_index("ix_usage_day_organisation", "usage_day", ["organisation_id", "posted_on"])
    op.create_index("ix_usage_day_late", "usage_day", ["day"], sqlite_where=_LATE, postgresql_where=_LATE)
    op.create_table(
        "usage_sum",
        sa.Column("grain", sa.String(length=12), nullable=False),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *_respects(),
        *_measures(),
        sa.PrimaryKeyConstraint(
            "grain", "posted_on", "day", *(c.name for c in _respects()), name="pk_usage_sum"
        ),
    )
    op.create_table(
        "usage_asset",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "month", "is_late", "project_id", "allocation_id", "asset", name="pk_usage_asset"
        ),
    )
    op.create_index("ix_usage_asset_project", "usage_asset", ["project_id", "month"])


def _respects() -> list[sa.Column[Any]]:
    return [
        *(
            sa.Column(name, sa.Uuid(), nullable=False)
            for name in ("organisation_id", "project_id", "allocation_id", "user_id")
        ),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("workload", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("gpu_type", sa.String(length=128), nullable=False),
    ]


def _measures() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in _MEASURES]


def _closed_months() -> None:
    op.create_table(
        "accounting_books",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("open_from", sa.Date(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_accounting_books_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_accounting_books"),
    )
    op.create_table(
        "closed_month",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("closed_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_closed_month"),
    )
    op.create_table(
        "closed_statement",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["month"], ["closed_month.month"], name="fk_closed_statement_month_closed_month"
        ),
        sa.PrimaryKeyConstraint("month", "project_id", name="pk_closed_statement"),
    )
    op.create_index("ix_closed_statement_project_id", "closed_statement", ["project_id"])


def _discrepancies() -> None:
    kinds = ("ledger", "day_audit", "cluster_day", "no_record", "unknown_account")
    states = ("open", "explained", "resolved")
    op.create_table(
        "discrepancy",
        sa.Column("id", quotas.columns.BigSerial, autoincrement=True, nullable=False),
        sa.Column("kind", _words("kind", kinds), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("found_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("seen_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("state", _words("state", states), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_discrepancy"),
        sa.UniqueConstraint("key", name="uq_discrepancy_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_discrepancy_open", "discrepancy", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def _words(name: str, words: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, length=24, create_constraint=True)


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for statement in [*unfreeze_ddl(dialect), *drop_append_only_ddl(dialect, _APPEND_ONLY)]:
        op.execute(statement)
    for column in (
        "waited_seconds",
        "gpu_busy_seconds",
        "used_cpu_seconds",
        "workload",
        "cluster",
        "open_from",
    ):
        op.drop_column("accounting_record", column)
    op.drop_index("ix_accounting_record_ended", table_name="accounting_record")
    op.drop_index("ix_transfer_few", table_name="transfer")
    for table in (
        "discrepancy",
        "closed_statement",
        "closed_month",
        "accounting_books",
        "usage_asset",
        "usage_sum",
        "usage_day",
    ):
        op.drop_table(table)
