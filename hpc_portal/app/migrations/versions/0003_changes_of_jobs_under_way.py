"""Changes of jobs under way: wishes with their outcome, and who holds a job.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPEN = sa.text("decided_at IS NULL")


def _text_enum(*values: str, name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, length=24, create_constraint=True)


def upgrade() -> None:
    # Written out: Alembic would copy the table on SQLite, and the jobs that others refer to with it.
    op.execute(
        "ALTER TABLE job ADD COLUMN held_by VARCHAR(24) "
        "CONSTRAINT ck_job_held_by CHECK (held_by IN ('user', 'administrator'))"
    )
    op.create_table(
        "job_change",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            _text_enum("hold", "release", "requeue", "walltime", "nice", "cancel_tasks", name="kind"),
            nullable=False,
        ),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("state", _text_enum("requested", "carried", "refused", name="state"), nullable=False),
        sa.Column("decided_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("refusal", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_change_job_id_job")),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["user_account.id"], name=op.f("fk_job_change_requested_by_user_account")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_job_change")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_change_job", "job_change", ["job_id", "sequence"])
    op.create_index(
        "ix_job_change_open", "job_change", ["sequence"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def downgrade() -> None:
    op.drop_table("job_change")
    op.execute("ALTER TABLE job DROP COLUMN held_by")
