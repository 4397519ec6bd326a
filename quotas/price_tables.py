"""Tables of price lists in the making; what is published is in tables.py and never changes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, ForeignKey
from sqlmodel import Field, SQLModel

from quotas.checks import LONGEST_ASSET_NAME
from quotas.columns import BigSerial, UtcDateTime, Vnd


class PriceDraft(SQLModel, table=True):
    """A price list that somebody prepares; it is gone once it is published or discarded."""

    __tablename__ = "price_draft"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    name: str = Field(max_length=200)
    copied_from: int | None = None
    """The version that it began as."""
    edition: int = 1
    """Grows with every edit, so that two editors notice each other."""
    created_by: UUID | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class PriceDraftItem(SQLModel, table=True):
    """As `quotas.tables.PriceItemRow`, of a draft."""

    __tablename__ = "price_draft_item"
    __table_args__ = (CheckConstraint("rate_vnd_per_hour >= 0", name="rate_not_negative"),)

    draft_id: int = Field(
        sa_column=Column(BigSerial, ForeignKey("price_draft.id"), primary_key=True, autoincrement=False)
    )
    tres: str = Field(primary_key=True, max_length=LONGEST_ASSET_NAME)
    partition: str = Field(default="", primary_key=True, max_length=64)
    rate_vnd_per_hour: int = Field(sa_type=Vnd)
