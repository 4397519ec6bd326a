"""API tokens may be good for less than their owner is.

Revision ID: 0035
Revises: 0034
"""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Written out: Alembic would copy the table on SQLite.
    op.execute(
        "ALTER TABLE api_token ADD COLUMN scope VARCHAR(24) DEFAULT 'everything' NOT NULL "
        "CONSTRAINT ck_api_token_scope CHECK (scope IN ('everything', 'jobs', 'read'))"
    )
    kind = "UUID" if op.get_context().dialect.name == "postgresql" else "CHAR(32)"
    op.execute(
        f"ALTER TABLE api_token ADD COLUMN project_id {kind} "
        "CONSTRAINT fk_api_token_project_id_project REFERENCES project (id)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE api_token DROP COLUMN project_id")
    op.execute("ALTER TABLE api_token DROP COLUMN scope")
