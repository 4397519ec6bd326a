"""The cluster user that each job was sent as.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("cluster_user", sa.String(255), nullable=True))


def downgrade() -> None:
    op.drop_column("job", "cluster_user")
