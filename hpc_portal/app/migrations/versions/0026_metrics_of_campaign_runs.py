"""Numbers of a campaign's run as a whole, such as merged coverage.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign_run", sa.Column("metrics", sa.JSON(), server_default="{}", nullable=False))


def downgrade() -> None:
    op.drop_column("campaign_run", "metrics")
