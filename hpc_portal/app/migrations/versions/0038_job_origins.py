"""Jobs keep the id of the request that submitted them, and their place in its trace.

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("request_id", sa.String(length=64), nullable=True))
    op.add_column("job", sa.Column("traceparent", sa.String(length=55), nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE job DROP COLUMN traceparent")
    op.execute("ALTER TABLE job DROP COLUMN request_id")
