"""Allocations are split, carried over, and hold arrays piece by piece.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

from hpc_portal.app.migrations.allow import allow_words

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BEFORE = ("grant", "hold", "settle", "release", "refund", "correct", "expire", "adjust")


def upgrade() -> None:
    allow_words("transfer", "kind", [*_BEFORE, "move", "carry"], constraint="ck_transfer_kind")
    uuid = "UUID" if op.get_bind().dialect.name == "postgresql" else "CHAR(32)"
    op.execute(
        f"ALTER TABLE allocation ADD COLUMN parent_id {uuid} "
        "CONSTRAINT fk_allocation_parent_id_allocation REFERENCES allocation (id)"
    )
    op.create_index("ix_allocation_parent_id", "allocation", ["parent_id"])
    op.execute(
        "ALTER TABLE allocation ADD COLUMN hold_policy VARCHAR(24) DEFAULT 'strict' NOT NULL "
        "CONSTRAINT ck_allocation_hold_policy CHECK (hold_policy IN ('strict', 'rolling'))"
    )
    op.execute(
        "ALTER TABLE quota_hold ADD COLUMN units_at_once INTEGER CONSTRAINT "
        "ck_quota_hold_units_at_once_positive CHECK (units_at_once IS NULL OR units_at_once >= 1)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE quota_hold DROP COLUMN units_at_once")
    op.execute("ALTER TABLE allocation DROP COLUMN hold_policy")
    op.drop_index("ix_allocation_parent_id", table_name="allocation")
    op.execute("ALTER TABLE allocation DROP COLUMN parent_id")
    allow_words("transfer", "kind", _BEFORE, constraint="ck_transfer_kind")
