"""What happened to allocations, and what people ask to get back.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state = 'open'")


def _words(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=24, create_constraint=True)


def upgrade() -> None:
    op.create_table(
        "allocation_event",
        sa.Column("sequence", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            _words("extended", "suspended", "resumed", "expired", "closed", "policy", name="kind"),
            nullable=False,
        ),
        sa.Column("was", sa.String(length=64), nullable=False),
        sa.Column("became", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", quotas.columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_allocation_event_allocation_id_allocation")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_allocation_event")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_allocation_event_allocation", "allocation_event", ["allocation_id", "sequence"])
    for statement in append_only_ddl(op.get_bind().dialect.name, ("allocation_event",)):
        op.execute(statement)
    op.create_table(
        "refund_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("raised_by", sa.Uuid(), nullable=False),
        sa.Column("raised_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_percent", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            _words("open", "approved", "partly_approved", "denied", "withdrawn", name="state"),
            nullable=False,
        ),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("decision", sa.Text(), server_default="", nullable=False),
        sa.Column("granted_percent", sa.Integer(), nullable=True),
        sa.CheckConstraint("asked_percent BETWEEN 1 AND 100", name=op.f("ck_refund_case_asked_in_range")),
        sa.CheckConstraint("granted_percent BETWEEN 0 AND 100", name=op.f("ck_refund_case_granted_in_range")),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at IS NULL)", name=op.f("ck_refund_case_decided_once")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_refund_case_job_id_job")),
        sa.ForeignKeyConstraint(
            ["raised_by"], ["user_account.id"], name=op.f("fk_refund_case_raised_by_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["user_account.id"], name=op.f("fk_refund_case_decided_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund_case")),
    )
    op.create_index(op.f("ix_refund_case_job_id"), "refund_case", ["job_id"])
    op.create_index("ix_refund_case_list", "refund_case", ["state", "raised_at"])
    op.create_index(
        "uq_refund_case_open",
        "refund_case",
        ["job_id"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "end_state_rule",
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("is_charged", sa.Boolean(), nullable=False),
        sa.Column("free_seconds_per_job", sa.BigInteger(), nullable=True),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "free_seconds_per_job IS NULL OR (is_charged AND free_seconds_per_job >= 0)",
            name=op.f("ck_end_state_rule_free_part_of_a_charge"),
        ),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_end_state_rule")),
    )


def downgrade() -> None:
    op.drop_table("end_state_rule")
    op.drop_table("refund_case")
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, ("allocation_event",)):
        op.execute(statement)
    op.drop_table("allocation_event")
