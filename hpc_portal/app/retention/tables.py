"""The table of jobs whose files are no longer kept: who looks for them is told when they went, and why."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class RemovedJobFiles(SQLModel, table=True):
    """A job's folder that was removed by the rule of `job_files_days`."""

    __tablename__ = "removed_job_files"

    job_id: UUID = Field(foreign_key="job.id", primary_key=True)
    removed_at: datetime = Field(sa_type=UtcDateTime)
    kept_days: int
    """The rule as it was then: so many days after the job was charged."""
