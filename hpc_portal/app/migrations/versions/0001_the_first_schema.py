"""The first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

import quotas.columns
from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = ("transfer", "entry", "accounting_record")


def upgrade() -> None:
    op.create_table(
        "audit_record",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_record")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_record_actor_id"), "audit_record", ["actor_id"], unique=False)
    op.create_table(
        "cluster_view",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("as_of", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cluster_view")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("expires_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger_account",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column(
            "owner_kind",
            sa.Enum(
                "programme",
                "allocation",
                name="owner_kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "programme",
                "available",
                "held",
                "consumed",
                "subsidy",
                "expired",
                "writeoff",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("overdraft", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind NOT IN ('held', 'consumed') OR balance >= 0",
            name=op.f("ck_ledger_account_held_consumed_not_negative"),
        ),
        sa.CheckConstraint(
            "balance BETWEEN -4000000000000000000 AND 4000000000000000000",
            name=op.f("ck_ledger_account_balance_in_range"),
        ),
        sa.CheckConstraint("overdraft >= 0", name=op.f("ck_ledger_account_overdraft_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_account")),
        sa.UniqueConstraint(
            "owner_kind",
            "owner_id",
            "kind",
            "asset",
            name=op.f("uq_ledger_account_owner_kind_owner_id_kind_asset"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "university",
                "training_centre",
                "startup",
                "city",
                name="organisation_kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "active",
                "suspended",
                "closed",
                name="organisation_state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("slug", name=op.f("uq_organisation_slug")),
    )
    op.create_table(
        "price_list",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "published",
                "retired",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("valid_from", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("published_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list")),
        sa.UniqueConstraint("version", name=op.f("uq_price_list_version")),
    )
    op.create_index("ix_price_list_current", "price_list", ["state", "valid_from"], unique=False)
    op.create_table(
        "quota_limit",
        sa.Column(
            "owner_kind",
            sa.Enum(
                "organisation",
                "project",
                "user",
                name="owner_kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "gpus_running",
                "jobs_running",
                "jobs_queued",
                "array_tasks",
                "walltime_seconds",
                "gpus_per_job",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("gpu_type", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint("value >= 0", name=op.f("ck_quota_limit_value_not_negative")),
        sa.PrimaryKeyConstraint("owner_kind", "owner_id", "kind", "gpu_type", name=op.f("pk_quota_limit")),
    )
    op.create_table(
        "transfer",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "grant",
                "hold",
                "settle",
                "release",
                "refund",
                "correct",
                "expire",
                "adjust",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("effective_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("booked_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("reverses", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["reverses"], ["transfer.id"], name=op.f("fk_transfer_reverses_transfer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_transfer_idempotency_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_transfer_job_id"), "transfer", ["job_id"], unique=False)
    op.create_table(
        "user_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column(
            "global_role",
            sa.Enum(
                "administrator",
                "auditor",
                name="global_role",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("cluster_user", sa.String(length=32), nullable=False),
        sa.Column("cluster_number", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(length=5), nullable=False),
        sa.Column("theme", sa.String(length=5), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("cluster_number", name=op.f("uq_user_account_cluster_number")),
        sa.UniqueConstraint("cluster_user", name=op.f("uq_user_account_cluster_user")),
        sa.UniqueConstraint("username", name=op.f("uq_user_account_username")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("last_used_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_api_token_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)
    op.create_table(
        "browser_session",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("expires_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_browser_session_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_browser_session")),
    )
    op.create_index(op.f("ix_browser_session_user_id"), "browser_session", ["user_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column(
            "transfer_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "account_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_entry_amount_not_zero")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["ledger_account.id"], name=op.f("fk_entry_account_id_ledger_account")
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfer.id"], name=op.f("fk_entry_transfer_id_transfer")),
        sa.PrimaryKeyConstraint("transfer_id", "account_id", name=op.f("pk_entry")),
    )
    op.create_index(op.f("ix_entry_account_id"), "entry", ["account_id"], unique=False)
    op.create_table(
        "organisation_member",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("manager", "member", name="role", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_organisation_member_organisation_id_organisation"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_organisation_member_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("organisation_id", "user_id", name=op.f("pk_organisation_member")),
    )
    op.create_index(op.f("ix_organisation_member_user_id"), "organisation_member", ["user_id"], unique=False)
    op.create_table(
        "price_item",
        sa.Column(
            "price_list_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("tres", sa.String(length=80), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("rate_vnd_per_hour", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("rate_vnd_per_hour >= 0", name=op.f("ck_price_item_rate_not_negative")),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_price_item_price_list_id_price_list")
        ),
        sa.PrimaryKeyConstraint("price_list_id", "tres", "partition", name=op.f("pk_price_item")),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "active",
                "suspended",
                "closed",
                name="project_state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_project_organisation_id_organisation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("account", name=op.f("uq_project_account")),
    )
    op.create_index(op.f("ix_project_organisation_id"), "project", ["organisation_id"], unique=False)
    op.create_table(
        "allocation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("valid_to", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "active",
                "suspended",
                "expired",
                "closed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("grant_key", sa.String(length=200), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_allocation_period_not_empty")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_allocation_project_id_project")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation")),
        sa.UniqueConstraint("grant_key", name=op.f("uq_allocation_grant_key")),
    )
    op.create_index("ix_allocation_usable", "allocation", ["project_id", "state", "valid_to"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("workspace", sa.String(length=255), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("is_array", sa.Boolean(), nullable=False),
        sa.Column(
            "phase",
            sa.Enum(
                "accepted",
                "dispatching",
                "tracked",
                "ended",
                "settled",
                "refused",
                name="phase",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "PENDING",
                "RUNNING",
                "SUSPENDED",
                "COMPLETED",
                "CANCELLED",
                "FAILED",
                "TIMEOUT",
                "NODE_FAIL",
                "PREEMPTED",
                "BOOT_FAIL",
                "DEADLINE",
                "OUT_OF_MEMORY",
                "UNKNOWN",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("exit_signal", sa.Integer(), nullable=True),
        sa.Column("scheduler", sa.String(length=64), nullable=False),
        sa.Column("scheduler_job_id", sa.String(length=64), nullable=True),
        sa.Column("submitted_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("dispatched_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("started_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("ended_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("settled_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("cancel_requested_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("waits_for_jobs", sa.Boolean(), nullable=False),
        sa.Column("tasks_total", sa.Integer(), nullable=False),
        sa.Column("tasks_running", sa.Integer(), nullable=False),
        sa.Column("tasks_completed", sa.Integer(), nullable=False),
        sa.Column("tasks_failed", sa.Integer(), nullable=False),
        sa.Column("tasks_cancelled", sa.Integer(), nullable=False),
        sa.Column("estimated_vnd", sa.BigInteger(), nullable=False),
        sa.Column("charged_vnd", sa.BigInteger(), nullable=False),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        sa.Column("claimed_until", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("not_before", quotas.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_job_organisation_id_organisation")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_job_project_id_project")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_job_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(
        "ix_job_cancel_wish",
        "job",
        ["cancel_requested_at"],
        unique=False,
        sqlite_where=sa.text("cancel_requested_at IS NOT NULL AND settled_at IS NULL"),
        postgresql_where=sa.text("cancel_requested_at IS NOT NULL AND settled_at IS NULL"),
    )
    op.create_index("ix_job_organisation_list", "job", ["organisation_id", "id"], unique=False)
    op.create_index("ix_job_project_list", "job", ["project_id", "id"], unique=False)
    op.create_index("ix_job_project_state_list", "job", ["project_id", "state", "id"], unique=False)
    op.create_index("ix_job_queue", "job", ["phase", "not_before", "id"], unique=False)
    op.create_index("ix_job_user_list", "job", ["user_id", "id"], unique=False)
    op.create_table(
        "project_member",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("lead", "member", name="role", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_member_project_id_project")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_project_member_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("project_id", "user_id", name=op.f("pk_project_member")),
    )
    op.create_index(op.f("ix_project_member_user_id"), "project_member", ["user_id"], unique=False)
    op.create_table(
        "accounting_record",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("run_key", sa.String(length=120), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("price_list_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "PENDING",
                "RUNNING",
                "SUSPENDED",
                "COMPLETED",
                "CANCELLED",
                "FAILED",
                "TIMEOUT",
                "NODE_FAIL",
                "PREEMPTED",
                "BOOT_FAIL",
                "DEADLINE",
                "OUT_OF_MEMORY",
                "UNKNOWN",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("started_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("ended_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("elapsed_seconds", sa.Integer(), nullable=False),
        sa.Column("tres_seconds", sa.JSON(), nullable=False),
        sa.Column("is_charged", sa.Boolean(), nullable=False),
        sa.Column("vnd", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "elapsed_seconds >= 0 AND vnd >= 0 AND revision >= 0",
            name=op.f("ck_accounting_record_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_accounting_record_allocation_id_allocation")
        ),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_accounting_record_price_list_id_price_list")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounting_record")),
        sa.UniqueConstraint("run_key", "revision", name=op.f("uq_accounting_record_run_key_revision")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_accounting_record_job_id"), "accounting_record", ["job_id"], unique=False)
    op.create_index(
        "ix_accounting_record_project", "accounting_record", ["project_id", "ended_at"], unique=False
    )
    op.create_table(
        "allocation_line",
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("available_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("held_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("consumed_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("granted >= 0", name=op.f("ck_allocation_line_granted_not_negative")),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_allocation_line_allocation_id_allocation")
        ),
        sa.ForeignKeyConstraint(
            ["available_id"],
            ["ledger_account.id"],
            name=op.f("fk_allocation_line_available_id_ledger_account"),
        ),
        sa.ForeignKeyConstraint(
            ["consumed_id"], ["ledger_account.id"], name=op.f("fk_allocation_line_consumed_id_ledger_account")
        ),
        sa.ForeignKeyConstraint(
            ["held_id"], ["ledger_account.id"], name=op.f("fk_allocation_line_held_id_ledger_account")
        ),
        sa.PrimaryKeyConstraint("allocation_id", "asset", name=op.f("pk_allocation_line")),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_idempotency_key_job_id_job")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_idempotency_key_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_table(
        "job_event",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_event_job_id_job")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_job_event_project_id_project")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_job_event")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_event_job", "job_event", ["job_id", "sequence"], unique=False)
    op.create_index("ix_job_event_project", "job_event", ["project_id", "sequence"], unique=False)
    op.create_table(
        "job_task",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("task_index", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "PENDING",
                "RUNNING",
                "SUSPENDED",
                "COMPLETED",
                "CANCELLED",
                "FAILED",
                "TIMEOUT",
                "NODE_FAIL",
                "PREEMPTED",
                "BOOT_FAIL",
                "DEADLINE",
                "OUT_OF_MEMORY",
                "UNKNOWN",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("is_requeued", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("exit_signal", sa.Integer(), nullable=True),
        sa.Column("placement", sa.JSON(), nullable=False),
        sa.Column("placed_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("started_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("ended_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("elapsed_seconds", sa.Integer(), nullable=True),
        sa.Column("allocated_tres", sa.JSON(), nullable=True),
        sa.Column("cpu_seconds", sa.Float(), nullable=False),
        sa.Column("max_rss_mib", sa.Integer(), nullable=False),
        sa.Column("settled_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.Column("charged_vnd", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_task_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", "task_index", "attempt", name=op.f("pk_job_task")),
    )
    op.create_index(
        "ix_job_task_active",
        "job_task",
        ["job_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_job_task_unsettled",
        "job_task",
        ["job_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL AND settled_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL AND settled_at IS NULL"),
    )
    op.create_table(
        "quota_hold",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("asset", sa.String(length=80), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("price_list_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit_amount", sa.BigInteger(), nullable=False),
        sa.Column("units_total", sa.Integer(), nullable=False),
        sa.Column("units_open", sa.Integer(), nullable=False),
        sa.Column("open_amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "settled",
                "released",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("held_at", quotas.columns.UtcDateTime(), nullable=False),
        sa.Column("closed_at", quotas.columns.UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (units_open > 0)", name=op.f("ck_quota_hold_open_while_units")
        ),
        sa.CheckConstraint(
            "unit_amount >= 0 AND open_amount >= 0 AND open_amount <= units_open * unit_amount",
            name=op.f("ck_quota_hold_open_amount_in_range"),
        ),
        sa.CheckConstraint(
            "units_open >= 0 AND units_open <= units_total", name=op.f("ck_quota_hold_units_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["allocation_id"], ["allocation.id"], name=op.f("fk_quota_hold_allocation_id_allocation")
        ),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_quota_hold_price_list_id_price_list")
        ),
        sa.PrimaryKeyConstraint("job_id", "allocation_id", "asset", name=op.f("pk_quota_hold")),
    )
    op.create_index(
        "ix_quota_hold_open",
        "quota_hold",
        ["allocation_id", "asset"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    for statement in append_only_ddl(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_append_only_ddl(op.get_bind().dialect.name, _APPEND_ONLY):
        op.execute(statement)
    op.drop_index(
        "ix_quota_hold_open",
        table_name="quota_hold",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_table("quota_hold")
    op.drop_index(
        "ix_job_task_unsettled",
        table_name="job_task",
        sqlite_where=sa.text("ended_at IS NOT NULL AND settled_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL AND settled_at IS NULL"),
    )
    op.drop_index(
        "ix_job_task_active",
        table_name="job_task",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("job_task")
    op.drop_index("ix_job_event_project", table_name="job_event")
    op.drop_index("ix_job_event_job", table_name="job_event")
    op.drop_table("job_event")
    op.drop_table("idempotency_key")
    op.drop_table("allocation_line")
    op.drop_index("ix_accounting_record_project", table_name="accounting_record")
    op.drop_index(op.f("ix_accounting_record_job_id"), table_name="accounting_record")
    op.drop_table("accounting_record")
    op.drop_index(op.f("ix_project_member_user_id"), table_name="project_member")
    op.drop_table("project_member")
    op.drop_index("ix_job_user_list", table_name="job")
    op.drop_index("ix_job_queue", table_name="job")
    op.drop_index("ix_job_project_state_list", table_name="job")
    op.drop_index("ix_job_project_list", table_name="job")
    op.drop_index("ix_job_organisation_list", table_name="job")
    op.drop_index(
        "ix_job_cancel_wish",
        table_name="job",
        sqlite_where=sa.text("cancel_requested_at IS NOT NULL AND settled_at IS NULL"),
        postgresql_where=sa.text("cancel_requested_at IS NOT NULL AND settled_at IS NULL"),
    )
    op.drop_table("job")
    op.drop_index("ix_allocation_usable", table_name="allocation")
    op.drop_table("allocation")
    op.drop_index(op.f("ix_project_organisation_id"), table_name="project")
    op.drop_table("project")
    op.drop_table("price_item")
    op.drop_index(op.f("ix_organisation_member_user_id"), table_name="organisation_member")
    op.drop_table("organisation_member")
    op.drop_index(op.f("ix_entry_account_id"), table_name="entry")
    op.drop_table("entry")
    op.drop_index(op.f("ix_browser_session_user_id"), table_name="browser_session")
    op.drop_table("browser_session")
    op.drop_index(op.f("ix_api_token_user_id"), table_name="api_token")
    op.drop_table("api_token")
    op.drop_table("user_account")
    op.drop_index(op.f("ix_transfer_job_id"), table_name="transfer")
    op.drop_table("transfer")
    op.drop_table("quota_limit")
    op.drop_index("ix_price_list_current", table_name="price_list")
    op.drop_table("price_list")
    op.drop_table("organisation")
    op.drop_table("ledger_account")
    op.drop_table("lease")
    op.drop_table("cluster_view")
    op.drop_index(op.f("ix_audit_record_actor_id"), table_name="audit_record")
    op.drop_table("audit_record")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
