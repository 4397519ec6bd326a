"""Service accounts; places that an identity provider gave; failed sign-ins, seen by every web process.

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op

from quotas.columns import UtcDateTime

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_account",
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("user_account.id"), primary_key=True),
        sa.Column("project_id", sa.Uuid(), sa.ForeignKey("project.id"), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_why", sa.String(length=24), nullable=True),
        sa.CheckConstraint(
            "ended_why IN ('ended', 'expired', 'project_closed', 'no_owner')", name="ended_why"
        ),
    )
    op.create_index("ix_service_account_project_id", "service_account", ["project_id"])
    op.create_table(
        "service_owner",
        sa.Column("service_id", sa.Uuid(), sa.ForeignKey("service_account.user_id"), primary_key=True),
        sa.Column("owner_id", sa.Uuid(), sa.ForeignKey("user_account.id"), primary_key=True),
    )
    op.create_index("ix_service_owner_owner_id", "service_owner", ["owner_id"])
    # Written out: Alembic would copy the table on SQLite.
    op.execute("ALTER TABLE project_member ADD COLUMN is_from_identity BOOLEAN DEFAULT false NOT NULL")
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.String(length=64), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_sign_in_failures_last_at", "sign_in_failures", ["last_at"])
    op.create_table(
        "known_browser",
        sa.Column("secret_hash", sa.String(length=64), primary_key=True),
        sa.Column("user_id", sa.Uuid(), sa.ForeignKey("user_account.id"), primary_key=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_known_browser_user_id", "known_browser", ["user_id"])


def downgrade() -> None:
    for table in ("known_browser", "sign_in_failures"):
        op.drop_table(table)
    op.drop_column("project_member", "is_from_identity")
    for table in ("service_owner", "service_account"):
        op.drop_table(table)
