"""When backups ended, which controllers stand by, and which jobs' files are no longer kept.

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op

from quotas.columns import UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backup_run",
        sa.Column("at", UtcDateTime(), primary_key=True),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.Column("took_seconds", sa.Float(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("machine", sa.String(length=64), nullable=False),
    )
    op.create_table(
        "controller_standby",
        sa.Column("lease", sa.String(length=64), primary_key=True),
        sa.Column("holder", sa.String(length=128), primary_key=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "removed_job_files",
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("job.id"), primary_key=True),
        sa.Column("removed_at", UtcDateTime(), nullable=False),
        sa.Column("kept_days", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("removed_job_files")
    op.drop_table("controller_standby")
    op.drop_table("backup_run")
