"""Price lists in the making, and who retired a published one.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from hpc_portal.app.migrations.allow import allow_words

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "price_draft",
        sa.Column("id", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("copied_from", sa.Integer(), nullable=True),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("changed_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_draft")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "price_draft_item",
        sa.Column("draft_id", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("tres", sa.String(length=80), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("rate_vnd_per_hour", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("rate_vnd_per_hour >= 0", name=op.f("ck_price_draft_item_rate_not_negative")),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["price_draft.id"], name=op.f("fk_price_draft_item_draft_id_price_draft")
        ),
        sa.PrimaryKeyConstraint("draft_id", "tres", "partition", name=op.f("pk_price_draft_item")),
    )
    op.add_column("price_list", sa.Column("retired_at", quotas.columns.UtcDateTime(), nullable=True))
    op.add_column("price_list", sa.Column("retired_by", sa.Uuid(), nullable=True))
    allow_words("price_list", "state", ["published", "retired"], constraint="ck_price_list_state")


def downgrade() -> None:
    allow_words("price_list", "state", ["draft", "published", "retired"], constraint="ck_price_list_state")
    op.execute("ALTER TABLE price_list DROP COLUMN retired_by")
    op.execute("ALTER TABLE price_list DROP COLUMN retired_at")
    op.drop_table("price_draft_item")
    op.drop_table("price_draft")
