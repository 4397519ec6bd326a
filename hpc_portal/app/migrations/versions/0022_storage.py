"""What lies in the workspaces of projects.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storage_use",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("measured_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("allocated_bytes", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("asked_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("told_percent", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_storage_use_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_storage_use")),
    )
    op.create_table(
        "storage_sample",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("allocated_bytes", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("measured_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "allocated_bytes >= 0 AND entries >= 0 AND unreadable >= 0",
            name=op.f("ck_storage_sample_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_storage_sample_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", "day", name=op.f("pk_storage_sample")),
    )
    for statement in append_only_ddl(op.get_bind().dialect.name, ("storage_sample",)):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, ("storage_sample",)):
        op.execute(statement)
    op.drop_table("storage_sample")
    op.drop_table("storage_use")
