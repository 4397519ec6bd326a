"""Limits of a person within one project, and defaults for everybody at a level.

Revision ID: 0017
Revises: 0016
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

import quotas.columns
from hpc_portal.app.migrations.allow import allow_words

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_EVERYBODY = "00000000000000000000000000000000"
_BEFORE = ("organisation", "project", "user")
_KINDS = (
    *("gpus_running", "jobs_running", "jobs_queued"),
    *("array_tasks", "walltime_seconds", "gpus_per_job"),
)
_KEY = ["owner_kind", "owner_id", "within_id", "kind", "gpu_type"]


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild([*_BEFORE, "member"], _KEY)
        return
    op.execute(f"ALTER TABLE quota_limit ADD COLUMN within_id UUID DEFAULT '{_EVERYBODY}' NOT NULL")
    op.execute("ALTER TABLE quota_limit ALTER COLUMN within_id DROP DEFAULT")
    op.execute("ALTER TABLE quota_limit DROP CONSTRAINT pk_quota_limit")
    op.create_primary_key("pk_quota_limit", "quota_limit", _KEY)
    allow_words("quota_limit", "owner_kind", [*_BEFORE, "member"], constraint="ck_quota_limit_owner_kind")


def downgrade() -> None:
    op.execute("DELETE FROM quota_limit WHERE owner_kind = 'member'")
    key = [name for name in _KEY if name != "within_id"]
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(_BEFORE, key)
        return
    allow_words("quota_limit", "owner_kind", _BEFORE, constraint="ck_quota_limit_owner_kind")
    op.execute("ALTER TABLE quota_limit DROP CONSTRAINT pk_quota_limit")
    op.execute("ALTER TABLE quota_limit DROP COLUMN within_id")
    op.create_primary_key("pk_quota_limit", "quota_limit", key)


def _rebuild(owners: list[str] | tuple[str, ...], key: list[str]) -> None:
    """SQLite cannot change a primary key; nothing refers to this table, and no trigger guards it."""
    op.rename_table("quota_limit", "quota_limit_before")
    columns: list[sa.Column[Any]] = [
        sa.Column("owner_kind", _words(*owners, name="owner_kind"), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("within_id", sa.Uuid(), nullable=False),
        sa.Column("kind", _words(*_KINDS, name="kind"), nullable=False),
        sa.Column("gpu_type", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", quotas.columns.UtcDateTime(), nullable=False),
    ]
    kept = [column for column in columns if column.name in {*key, "value", "set_by", "set_at"}]
    op.create_table(
        "quota_limit",
        *kept,
        sa.CheckConstraint("value >= 0", name=op.f("ck_quota_limit_value_not_negative")),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_quota_limit")),
    )
    names = [column.name for column in kept]
    sources = [f"'{_EVERYBODY}'" if name == "within_id" else name for name in names]
    op.execute(
        f"INSERT INTO quota_limit ({', '.join(names)}) "  # noqa: S608 - names above
        f"SELECT {', '.join(sources)} FROM quota_limit_before"
    )
    op.drop_table("quota_limit_before")


def _words(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=24, create_constraint=True)
