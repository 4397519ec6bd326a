"""Site templates: what administrators publish, version by version.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_template",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("retired_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_site_template")),
    )
    op.create_table(
        "site_template_version",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("published_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_site_template_version_counts_from_one")),
        sa.ForeignKeyConstraint(
            ["name"], ["site_template.name"], name=op.f("fk_site_template_version_name_site_template")
        ),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_site_template_version")),
    )
    for statement in append_only_ddl(op.get_bind().dialect.name, ["site_template_version"]):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, ["site_template_version"]):
        op.get_bind().exec_driver_sql(statement)
    op.drop_table("site_template_version")
    op.drop_table("site_template")
