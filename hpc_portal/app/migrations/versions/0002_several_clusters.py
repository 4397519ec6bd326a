"""Several clusters: people's accounts on them, and what of them does not answer.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cluster_outage",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column(
            "part",
            sa.Enum(
                "scheduler",
                "accounting",
                name="part",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("since", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "part", name=op.f("pk_cluster_outage")),
    )
    op.create_table(
        "cluster_account",
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_user", sa.String(length=32), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_cluster_account_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("cluster", "user_id", name=op.f("pk_cluster_account")),
        sa.UniqueConstraint("cluster", "cluster_user", name=op.f("uq_cluster_account_cluster_cluster_user")),
    )
    op.create_index(op.f("ix_cluster_account_user_id"), "cluster_account", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_cluster_account_user_id"), table_name="cluster_account")
    op.drop_table("cluster_account")
    op.drop_table("cluster_outage")
