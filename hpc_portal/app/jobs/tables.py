"""What a template had made of a job whose script was then edited by hand."""

from uuid import UUID

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel


class EditedScript(SQLModel, table=True):
    """A job whose script somebody edited before it was submitted; what runs is in the job's spec."""

    __tablename__ = "edited_script"

    job_id: UUID = Field(primary_key=True, foreign_key="job.id")
    generated: str = Field(sa_column=Column(Text, nullable=False))
    """The script as the template made it."""
