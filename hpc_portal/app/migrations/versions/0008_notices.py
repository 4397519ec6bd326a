"""Notices: what people were told, how they want to be told, and the mails to send.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNREAD = sa.text("read_at IS NULL")
_DUE = sa.text("sent_at IS NULL AND given_up_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("read_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_notice_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_notice_user_id_key")),
    )
    op.create_index("ix_notice_list", "notice", ["user_id", "id"])
    op.create_index("ix_notice_unread", "notice", ["user_id"], sqlite_where=_UNREAD, postgresql_where=_UNREAD)
    op.create_table(
        "notice_choice",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("mail", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_notice_choice_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notice_choice")),
    )
    op.create_table(
        "mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=260), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("locale", sa.String(length=5), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("not_before", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("given_up_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_mail_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("key", name=op.f("uq_mail_key")),
    )
    op.create_index("ix_mail_user_id", "mail", ["user_id"])
    op.create_index("ix_mail_due", "mail", ["not_before"], sqlite_where=_DUE, postgresql_where=_DUE)


def downgrade() -> None:
    for table in ("mail", "notice_choice", "notice"):
        op.drop_table(table)
