"""The mirror of budgets into a cluster, and jobs that were submitted past the portal.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DISPATCHED = sa.text("scheduler_job_id IS NOT NULL")
_UNCHARGED = sa.text("NOT is_charged AND elapsed_seconds > 0")


def upgrade() -> None:
    op.add_column("job", sa.Column("is_external", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_job_scheduler_job",
        "job",
        ["scheduler", "scheduler_job_id"],
        sqlite_where=_DISPATCHED,
        postgresql_where=_DISPATCHED,
    )
    op.create_index(
        "ix_accounting_record_uncharged",
        "accounting_record",
        ["allocation_id"],
        sqlite_where=_UNCHARGED,
        postgresql_where=_UNCHARGED,
    )
    op.create_table(
        "external_reader",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("began_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("read_until", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("reread_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", name=op.f("pk_external_reader")),
    )
    op.create_table(
        "external_usage",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_external_usage_allocation_id_allocation")
        ),
        sa.PrimaryKeyConstraint("cluster", "allocation_id", "asset", name=op.f("pk_external_usage")),
    )
    op.create_table(
        "unclaimed_run",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("scheduler_job_id", sa.String(length=64), nullable=False),
        sa.Column("submitted_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("cluster_user", sa.String(length=255), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("found_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "scheduler_job_id", "submitted_at", name=op.f("pk_unclaimed_run")),
    )
    op.create_table(
        "mirror_state",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("checked_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("applied_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("cluster", name=op.f("pk_mirror_state")),
    )
    op.create_table(
        "mirror_drift",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("field", sa.String(length=120), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("since", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("corrected_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mirror_drift")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mirror_drift_cluster", "mirror_drift", ["cluster", "corrected_at"])


def downgrade() -> None:
    for table in ("mirror_drift", "mirror_state", "unclaimed_run", "external_usage", "external_reader"):
        op.drop_table(table)
    op.drop_index("ix_accounting_record_uncharged", table_name="accounting_record")
    op.drop_index("ix_job_scheduler_job", table_name="job")
    op.execute("ALTER TABLE job DROP COLUMN is_external")
