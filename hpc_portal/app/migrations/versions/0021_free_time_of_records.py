"""How much of a charged end was free when it was recorded, so that corrections go by the same rule.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from quotas.append_only import append_only_ddl, drop_append_only_ddl

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounting_record", sa.Column("free_seconds_per_job", sa.BigInteger(), nullable=True))
    dialect = op.get_bind().dialect.name
    for statement in drop_append_only_ddl(dialect, ["accounting_record"]):
        op.execute(statement)
    op.execute(
        "UPDATE accounting_record SET free_seconds_per_job = (SELECT rule.free_seconds_per_job "
        "FROM end_state_rule AS rule WHERE rule.state = accounting_record.state) "
        "WHERE is_charged AND state IN "
        "(SELECT state FROM end_state_rule WHERE free_seconds_per_job IS NOT NULL)"
    )
    for statement in append_only_ddl(dialect, ["accounting_record"]):
        op.execute(statement)


def downgrade() -> None:
    op.drop_column("accounting_record", "free_seconds_per_job")
