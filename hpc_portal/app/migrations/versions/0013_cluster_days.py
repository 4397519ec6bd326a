"""What clusters had, could give and gave by day; and how long the GPUs of runs were at work.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_task", sa.Column("gpu_busy_seconds", sa.Float(), nullable=True))
    op.create_table(
        "cluster_day",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("observed_seconds", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("allocated", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "observed_seconds >= 0 AND available >= 0 AND available <= capacity AND allocated >= 0",
            name="ck_cluster_day_amounts_in_range",
        ),
        sa.PrimaryKeyConstraint("cluster", "day", "asset", name="pk_cluster_day"),
    )


def downgrade() -> None:
    op.drop_table("cluster_day")
    op.drop_column("job_task", "gpu_busy_seconds")
