"""Coverage by test: the points that its tasks hit, so that a trend needs no result of a single task.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign_test", sa.Column("covered", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "campaign_test", sa.Column("coverage_points", sa.BigInteger(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("campaign_test", "coverage_points")
    op.drop_column("campaign_test", "covered")
