"""When the books were last checked.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounting_check",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("begun_on", sa.Date(), nullable=False),
        sa.Column("checked_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_accounting_check"),
    )


def downgrade() -> None:
    op.drop_table("accounting_check")
