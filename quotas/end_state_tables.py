"""The table of end-state rules: how a site departs from which ends are paid for by default."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from quotas.columns import TresSeconds, UtcDateTime


class EndStateRule(SQLModel, table=True):
    """Whether runs that end in one state are paid for; without a row, the default policy says."""

    __tablename__ = "end_state_rule"
    __table_args__ = (
        CheckConstraint(
            "free_seconds_per_job IS NULL OR (is_charged AND free_seconds_per_job >= 0)",
            name="free_part_of_a_charge",
        ),
    )

    state: str = Field(primary_key=True, max_length=24)
    """A terminal state, by its name in the scheduler's words."""
    is_charged: bool
    free_seconds_per_job: int | None = Field(default=None, sa_type=TresSeconds)
    """So many seconds that runs of one job lost this way are given back at once; None: nothing is."""
    set_by: UUID | None = None
    set_at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
