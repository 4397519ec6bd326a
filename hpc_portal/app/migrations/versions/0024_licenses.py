"""The last word of licence servers, and licences that are kept for projects.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

from quotas.columns import UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "license_server",
        sa.Column("address", sa.String(255), primary_key=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False, server_default=""),
        sa.Column("report", sa.JSON(), nullable=False),
    )
    op.create_table(
        "license_reservation",
        sa.Column("feature", sa.String(64), primary_key=True),
        sa.Column("project_id", sa.Uuid(), sa.ForeignKey("project.id"), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("count > 0", name="count_above_zero"),
    )


def downgrade() -> None:
    op.drop_table("license_reservation")
    op.drop_table("license_server")
