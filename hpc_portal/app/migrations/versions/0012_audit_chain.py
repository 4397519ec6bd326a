"""The audit log becomes a chain: numbered without gaps, each record sealing the one before.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from hpc_portal.app.audit_log.chain import BEFORE_THE_FIRST, Deed, seal
from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("audit_record") as batch:
        for name in ("address", "previous_hash", "hash"):
            batch.add_column(sa.Column(name, sa.String(length=64), nullable=False, server_default=""))
    op.create_table(
        "audit_head",
        sa.Column("id", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("sequence", _SERIAL, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    _chain_what_is_there(op.get_bind())
    with op.batch_alter_table("audit_record") as batch:
        for name in ("address", "previous_hash", "hash"):
            batch.alter_column(name, existing_type=sa.String(length=64), server_default=None)
    op.create_index("ix_audit_record_action", "audit_record", ["action", "sequence"])
    op.create_index("ix_audit_record_subject", "audit_record", ["subject", "sequence"])
    for statement in append_only_ddl(op.get_bind().dialect.name, ("audit_record",)):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, ("audit_record",)):
        op.execute(statement)
    op.drop_index("ix_audit_record_subject", table_name="audit_record")
    op.drop_index("ix_audit_record_action", table_name="audit_record")
    op.drop_table("audit_head")
    with op.batch_alter_table("audit_record") as batch:
        for name in ("address", "previous_hash", "hash"):
            batch.drop_column(name)


def _chain_what_is_there(connection: sa.Connection) -> None:
    """Number what was recorded so far anew, for a rolled-back transaction left gaps, and seal it."""
    records = sa.table(
        "audit_record",
        sa.column("sequence", _SERIAL),
        sa.column("at", quotas.columns.UtcDateTime()),
        sa.column("actor_id", sa.Uuid()),
        sa.column("action", sa.String()),
        sa.column("subject", sa.String()),
        sa.column("facts", sa.JSON()),
        sa.column("previous_hash", sa.String()),
        sa.column("hash", sa.String()),
    )
    before, number = BEFORE_THE_FIRST, 0
    rows = connection.execute(
        sa.select(
            *(records.c[name] for name in ("sequence", "at", "actor_id", "action", "subject", "facts"))
        ).order_by(records.c.sequence)
    ).all()
    for number, row in enumerate(rows, 1):
        deed = Deed(number, row.at, row.actor_id, "", row.action, row.subject, row.facts)
        sealed = seal(before, deed)
        connection.execute(
            sa.update(records)
            .where(records.c.sequence == row.sequence)
            .values(sequence=number, previous_hash=before, hash=sealed)
        )
        before = sealed
    if rows:
        head = sa.table("audit_head", sa.column("id"), sa.column("sequence"), sa.column("hash"))
        connection.execute(sa.insert(head).values(id=1, sequence=number, hash=before))
