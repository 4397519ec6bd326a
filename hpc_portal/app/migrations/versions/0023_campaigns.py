"""Campaigns: their runs, the results of tasks, and sums by test.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import quotas.columns

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sqlmodel.AutoString(length=128), nullable=False),
        sa.Column("template", sqlmodel.AutoString(length=64), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("stop_failures", sa.Integer(), nullable=True),
        sa.Column("stop_cost_vnd", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_campaign_project_id_project")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_campaign_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    op.create_index("ix_campaign_project_list", "campaign", ["project_id", "id"])
    op.create_index("ix_campaign_name", "campaign", ["project_id", "name", "id"])
    op.create_table(
        "campaign_run",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "first",
                "same_seeds",
                "new_seeds",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("with_waves", sa.Boolean(), nullable=False),
        sa.Column("results", sa.Integer(), nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column(
            "stopped_by",
            sa.Enum(
                "failures",
                "cost",
                "person",
                name="stopped_by",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("stopped_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_campaign_run_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_campaign_run_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_campaign_run")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_campaign_run_campaign_id_number")),
    )
    op.create_index(
        "ix_campaign_run_unread",
        "campaign_run",
        ["job_id"],
        sqlite_where=sa.text("is_read = 0"),
        postgresql_where=sa.text("NOT is_read"),
    )
    op.create_table(
        "campaign_result",
        sa.Column("sequence", _SERIAL, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("task_index", sa.Integer(), nullable=False),
        sa.Column("row_name", sqlmodel.AutoString(length=200), nullable=False),
        sa.Column("column_name", sqlmodel.AutoString(length=64), nullable=False),
        sa.Column("label", sqlmodel.AutoString(length=300), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum(
                "pass",
                "fail",
                "no_verdict",
                name="verdict",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("build", sqlmodel.AutoString(length=64), nullable=False),
        sa.Column("wall_ms", sa.Integer(), nullable=False),
        sa.Column("length", sa.Float(), nullable=True),
        sa.Column("signature", sqlmodel.AutoString(length=400), nullable=False),
        sa.Column("line", sa.Text(), server_default="", nullable=False),
        sa.Column("file", sa.Text(), server_default="", nullable=False),
        sa.Column("line_number", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("artefacts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_campaign_result_job_id_job")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_campaign_result")),
        sa.UniqueConstraint("job_id", "task_index", name=op.f("uq_campaign_result_job_id_task_index")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_campaign_result_group", "campaign_result", ["job_id", "verdict", "signature"])
    op.create_index("ix_campaign_result_live", "campaign_result", ["job_id", "sequence"])
    op.create_table(
        "campaign_test",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("row_name", sqlmodel.AutoString(length=200), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("no_verdict", sa.Integer(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_campaign_test_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", "row_name", name=op.f("pk_campaign_test")),
    )


def downgrade() -> None:
    for table in ("campaign_test", "campaign_result", "campaign_run", "campaign"):
        op.drop_table(table)
