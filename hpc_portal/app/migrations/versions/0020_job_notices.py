"""What people still want to be told of their jobs.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_notice",
        sa.Column("job_id", sa.Uuid(), sa.ForeignKey("job.id"), primary_key=True),
        sa.Column("at_begin", sa.Boolean(), nullable=False),
        sa.Column("at_end", sa.Boolean(), nullable=False),
        sa.Column("at_failure", sa.Boolean(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("job_notice")
