"""What a run consumed in energy, where the site measures it.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_task", sa.Column("energy_joules", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("job_task", "energy_joules")
