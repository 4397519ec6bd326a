"""Jobs under way have an index of their own: pages that count them need not walk past those that are over.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_UNDER_WAY = sa.text("phase IN ('accepted', 'dispatching', 'tracked')")


def upgrade() -> None:
    op.create_index(
        "ix_job_under_way",
        "job",
        ["phase", "project_id", "user_id", "state"],
        sqlite_where=_UNDER_WAY,
        postgresql_where=_UNDER_WAY,
    )


def downgrade() -> None:
    op.drop_index("ix_job_under_way", "job")
