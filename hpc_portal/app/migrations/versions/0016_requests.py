"""Requests for quota: what was asked and granted, every transition, and what was attached.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_STATES = (
    *("draft", "submitted", "under_review", "returned"),
    *("approved", "partly_approved", "denied", "withdrawn"),
)
_KINDS = ("new", "renew", "extend", "increase", "surge")
_DEEDS = (
    *("draft", "edit", "attach", "detach", "submit", "withdraw"),
    *("start_review", "return", "approve", "approve_partly", "deny"),
)


def _words(*words: str, name: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, length=24, create_constraint=True)


def upgrade() -> None:
    op.create_table(
        "quota_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("draft_key", sa.String(length=200), nullable=True),
        sa.Column("kind", _words(*_KINDS, name="request_kind"), nullable=False),
        sa.Column("state", _words(*_STATES, name="request_state"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("valid_to", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("submitted_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("decided_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("granted_to", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("granted_allocation_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_quota_request_period_not_empty")),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_quota_request_{column}_{table}")
            )
            for column, table in (
                ("organisation_id", "organisation"),
                ("project_id", "project"),
                ("requested_by", "user_account"),
                ("allocation_id", "allocation"),
                ("decided_by", "user_account"),
                ("granted_allocation_id", "allocation"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_request")),
        sa.UniqueConstraint(
            "requested_by", "draft_key", name=op.f("uq_quota_request_requested_by_draft_key")
        ),
    )
    op.create_index("ix_quota_request_project", "quota_request", ["project_id", "id"])
    op.create_index("ix_quota_request_organisation", "quota_request", ["organisation_id", "id"])
    op.create_index("ix_quota_request_inbox", "quota_request", ["state", "submitted_at"])
    op.create_table(
        "request_line",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("asked > 0", name=op.f("ck_request_line_asked_positive")),
        sa.CheckConstraint("granted BETWEEN 0 AND asked", name=op.f("ck_request_line_granted_within_asked")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["quota_request.id"], name=op.f("fk_request_line_request_id_quota_request")
        ),
        sa.PrimaryKeyConstraint("request_id", "asset", name=op.f("pk_request_line")),
    )
    op.create_table(
        "request_event",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("deed", _words(*_DEEDS, name="deed"), nullable=False),
        sa.Column("state_before", _words(*_STATES, name="state_before"), nullable=True),
        sa.Column("state_after", _words(*_STATES, name="state_after"), nullable=False),
        sa.Column("at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["quota_request.id"], name=op.f("fk_request_event_request_id_quota_request")
        ),
        sa.ForeignKeyConstraint(
            ["by_id"], ["user_account.id"], name=op.f("fk_request_event_by_id_user_account")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_request_event")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_request_event_request", "request_event", ["request_id", "sequence"])
    op.create_table(
        "request_attachment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.Column("added_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("removed_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["quota_request.id"],
            name=op.f("fk_request_attachment_request_id_quota_request"),
        ),
        sa.ForeignKeyConstraint(
            ["added_by"], ["user_account.id"], name=op.f("fk_request_attachment_added_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_attachment")),
    )
    op.create_index("ix_request_attachment_request_id", "request_attachment", ["request_id"])
    for statement in append_only_ddl(op.get_bind().dialect.name, ["request_event"]):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, ["request_event"]):
        op.get_bind().exec_driver_sql(statement)
    for table in ("request_attachment", "request_event", "request_line", "quota_request"):
        op.drop_table(table)
