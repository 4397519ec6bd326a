"""An account's number on a cluster is one person's: whoever has it owns the folders of its jobs.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SHARED = sa.text("SELECT cluster, uid FROM cluster_account GROUP BY cluster, uid HAVING count(*) > 1")


def upgrade() -> None:
    shared = [f"{uid} on {cluster}" for cluster, uid in op.get_bind().execute(_SHARED)]
    if shared:
        message = (
            f"Several people have the same uid: {', '.join(shared)}. They can read each other's files. "
            "Give each an account of their own with `hpc-portal user map`, then upgrade."
        )
        raise RuntimeError(message)
    op.create_index("uq_cluster_account_uid", "cluster_account", ["cluster", "uid"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_cluster_account_uid", table_name="cluster_account")
