"""How much memory runs needed at most, in their records and in the roll-ups; older records wait for theirs.

The upgrade fills them in batches afterwards, each in a transaction of its own: app/accounting/fold_old_peaks.

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_ROLL_UPS = ("usage_day", "usage_sum")
_MEASURES = ("mem_measured_runs", "mem_measured_mib_seconds", "mem_peak_mib_seconds")


def upgrade() -> None:
    op.add_column("accounting_record", sa.Column("peak_mem_mib", sa.BigInteger(), nullable=True))
    for table in _ROLL_UPS:
        for name in _MEASURES:
            op.add_column(table, sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "unfolded_peaks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_unfolded_peaks_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_unfolded_peaks"),
    )
    op.execute(
        "INSERT INTO unfolded_peaks (id, up_to) "
        "SELECT 1, newest FROM (SELECT max(id) AS newest FROM accounting_record) AS record "
        "WHERE newest IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_table("unfolded_peaks")
    for table in _ROLL_UPS:
        for name in _MEASURES:
            op.drop_column(table, name)
    op.drop_column("accounting_record", "peak_mem_mib")
