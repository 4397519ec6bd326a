"""Tables of what lies in the workspaces of projects: as it was last measured, and a sample for each day."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class StorageUse(SQLModel, table=True):
    """A project's storage as it was last measured, and who waits to have it measured again."""

    __tablename__ = "storage_use"

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    measured_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the walk began that the figures are from; None before the first."""
    allocated_bytes: int = Field(default=0, sa_type=BigInteger)
    """Blocks that the file system gave: of a sparse file what is in it, a file with several names once."""
    entries: int = Field(default=0, sa_type=BigInteger)
    """Files, links and folders."""
    unreadable: int = 0
    """Folders into which the portal could not look: what is in them is not counted."""
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When somebody last asked to have it measured again."""
    told_percent: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """The highest threshold that people were told of; lower again once less is used."""


class StorageSample(SQLModel, table=True):
    """What a project's storage was on a day. Append-only."""

    __tablename__ = "storage_sample"
    __table_args__ = (
        CheckConstraint("allocated_bytes >= 0 AND entries >= 0 AND unreadable >= 0", name="not_negative"),
    )

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    day: date = Field(primary_key=True)
    """In Asia/Ho_Chi_Minh."""
    allocated_bytes: int = Field(sa_type=BigInteger)
    entries: int = Field(sa_type=BigInteger)
    unreadable: int
    measured_at: datetime = Field(sa_type=UtcDateTime)
