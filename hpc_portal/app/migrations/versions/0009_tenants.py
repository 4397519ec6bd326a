"""Suspended and closed tenants, invitations, classes and their students' seats.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from quotas.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATES = ("active", "suspended", "closed")


def _state(name: str) -> sa.Column[str]:
    kind = sa.Enum(
        *_STATES,
        name=name,
        native_enum=False,
        length=24,
        create_constraint=True,
    )
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "tenant_state_change",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        _state("was"),
        _state("state"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("by_city", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_tenant_state_change")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tenant_state_change_tenant", "tenant_state_change", ["tenant_id", "sequence"])
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=5), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("invited_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.Column("times_sent", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "accepted_at IS NULL OR revoked_at IS NULL", name=op.f("ck_invitation_accepted_or_revoked")
        ),
        sa.ForeignKeyConstraint(
            ["accepted_by"], ["user_account.id"], name=op.f("fk_invitation_accepted_by_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_invitation_organisation_id_organisation")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_invitation_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash")),
    )
    op.create_index(
        "uq_invitation_open",
        "invitation",
        ["place_id", "email"],
        unique=True,
        sqlite_where=sa.text("accepted_at IS NULL AND revoked_at IS NULL"),
        postgresql_where=sa.text("accepted_at IS NULL AND revoked_at IS NULL"),
    )
    op.create_index("ix_invitation_inviter", "invitation", ["invited_by", "sent_at"])
    op.create_index(op.f("ix_invitation_organisation_id"), "invitation", ["organisation_id"])
    op.create_table(
        "class_pool",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_class_pool_allocation_id_allocation")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_class_pool_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_pool")),
        sa.UniqueConstraint("key", name=op.f("uq_class_pool_key")),
    )
    op.create_index(op.f("ix_class_pool_project_id"), "class_pool", ["project_id"])
    op.create_index(
        "ix_class_pool_open",
        "class_pool",
        ["ends_at"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "class_seat",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("student", sa.String(length=254), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_class_seat_allocation_id_allocation")
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["class_pool.id"], name=op.f("fk_class_seat_pool_id_class_pool")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_class_seat_project_id_project")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_class_seat")),
        sa.UniqueConstraint("pool_id", "student", name=op.f("uq_class_seat_pool_id_student")),
    )


def downgrade() -> None:
    op.drop_table("class_seat")
    op.drop_index("ix_class_pool_open", table_name="class_pool")
    op.drop_index(op.f("ix_class_pool_project_id"), table_name="class_pool")
    op.drop_table("class_pool")
    op.drop_index(op.f("ix_invitation_organisation_id"), table_name="invitation")
    op.drop_index("ix_invitation_inviter", table_name="invitation")
    op.drop_index("uq_invitation_open", table_name="invitation")
    op.drop_table("invitation")
    op.drop_index("ix_tenant_state_change_tenant", table_name="tenant_state_change")
    op.drop_table("tenant_state_change")
