"""When the books were last checked, so that of several controllers one does it, once."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class AccountingCheck(SQLModel, table=True):
    """A check that is made once a day, and what it found last."""

    __tablename__ = "accounting_check"

    name: str = Field(primary_key=True, max_length=100)
    """`books`, or `cluster:<name>`."""
    begun_on: date
    """The local day of the last one; whoever sets it makes the check."""
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When one was last finished."""
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Which days it looked at, and how many discrepancies it found."""
