"""The table of backups that were made: it is in the database, so that it outlives the backups' disk."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Text
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class BackupRun(SQLModel, table=True):
    """One good backup, written down after the last of its files was safe on the disk."""

    __tablename__ = "backup_run"

    at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    """The instant that it began, which its folder is named after."""
    ended_at: datetime = Field(sa_type=UtcDateTime)
    took_seconds: float
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    folder: str = Field(sa_column=Column(Text, nullable=False))
    """As it is called on that machine."""
    machine: str = Field(max_length=64)
