"""Subsidies: programmes, rules, and what each hold and each record pins of them.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NOW = sa.text("removed_at IS NULL")
_KINDS = ("university", "training_centre", "startup", "city")


def upgrade() -> None:
    op.create_table(
        "programme",
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_programme")),
    )
    op.create_table(
        "programme_project",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("programme", sa.String(length=40), nullable=False),
        sa.Column("added_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=True),
        sa.Column("removed_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("removed_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_programme_project_project_id_project")
        ),
        sa.ForeignKeyConstraint(
            ["programme"], ["programme.slug"], name=op.f("fk_programme_project_programme_programme")
        ),
        sa.PrimaryKeyConstraint("project_id", "programme", "added_at", name=op.f("pk_programme_project")),
    )
    op.create_index(
        "uq_programme_project_now",
        "programme_project",
        ["project_id", "programme"],
        unique=True,
        sqlite_where=_NOW,
        postgresql_where=_NOW,
    )
    op.create_table(
        "subsidy_rule",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("programme", sa.String(length=40), nullable=True),
        sa.Column(
            "organisation_kind",
            sa.Enum(*_KINDS, name="organisation_kind", native_enum=False, length=24, create_constraint=True),
            nullable=True,
        ),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.Column("cap_vnd", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("valid_to", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "basis_points >= 0 AND basis_points <= 10000",
            name=op.f("ck_subsidy_rule_basis_points_in_range"),
        ),
        sa.CheckConstraint("cap_vnd IS NULL OR cap_vnd >= 0", name=op.f("ck_subsidy_rule_cap_not_negative")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_from <= valid_to", name=op.f("ck_subsidy_rule_period_in_order")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_subsidy_rule_organisation_id_organisation"),
        ),
        sa.ForeignKeyConstraint(
            ["programme"], ["programme.slug"], name=op.f("fk_subsidy_rule_programme_programme")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subsidy_rule")),
        sqlite_autoincrement=True,
    )
    # Written out: Alembic would copy the tables on SQLite, and lose the triggers that protect them.
    serial = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for table in ("quota_hold", "accounting_record"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN subsidy_rule_id {serial} "
            f"CONSTRAINT fk_{table}_subsidy_rule_id_subsidy_rule REFERENCES subsidy_rule (id)"
        )
    op.execute(
        "ALTER TABLE accounting_record ADD COLUMN subsidy_vnd BIGINT DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_accounting_record_subsidy_not_negative CHECK (subsidy_vnd >= 0)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE accounting_record DROP COLUMN subsidy_vnd")
    for table in ("quota_hold", "accounting_record"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN subsidy_rule_id")
    op.drop_table("subsidy_rule")
    op.drop_index("uq_programme_project_now", table_name="programme_project")
    op.drop_table("programme_project")
    op.drop_table("programme")
