"""How people want to be told of each group of notices, mails of the day, webhooks, and jobs near their end.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

from quotas.columns import UtcDateTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_DUE = sa.text("delivered_at IS NULL AND given_up_at IS NULL")


def _of_person(*, primary: bool = False) -> sa.Column[object]:
    key = sa.ForeignKey("user_account.id")
    return sa.Column("user_id", sa.Uuid(), key, primary_key=primary, nullable=False)


def upgrade() -> None:
    true, false = sa.text("true"), sa.text("false")
    op.add_column("notice", sa.Column("on_page", sa.Boolean(), nullable=False, server_default=true))
    for name in ("near_end", "as_campaign"):
        op.add_column("job_notice", sa.Column(name, sa.Boolean(), nullable=False, server_default=false))
    op.add_column("job_notice", sa.Column("near_end_at", UtcDateTime(), nullable=True))
    op.create_table(
        "notice_group_choice",
        _of_person(primary=True),
        sa.Column("notice_group", sa.String(length=40), primary_key=True),
        sa.Column("on_page", sa.Boolean(), nullable=False),
        sa.Column("by_mail", sa.String(length=10), nullable=False),
        sa.Column("by_webhook", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "digest_item",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _of_person(),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_digest_item_due", "digest_item", ["due_at", "user_id"])
    op.create_index("ix_digest_item_user_id", "digest_item", ["user_id"])
    _webhooks()


def _webhooks() -> None:
    op.create_table(
        "webhook",
        _of_person(primary=True),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _of_person(),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("locale", sa.String(length=5), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("given_up_at", UtcDateTime(), nullable=True),
        sa.UniqueConstraint("user_id", "key"),
    )
    op.create_index("ix_webhook_delivery_list", "webhook_delivery", ["user_id", "id"])
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["not_before"],
        sqlite_where=_DUE,
        postgresql_where=_DUE,
    )


def downgrade() -> None:
    for table in ("webhook_delivery", "webhook", "digest_item", "notice_group_choice"):
        op.drop_table(table)
    for name in ("near_end_at", "as_campaign", "near_end"):
        op.drop_column("job_notice", name)
    op.drop_column("notice", "on_page")
