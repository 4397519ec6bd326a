"""Tables of site templates: versions are append-only, for old jobs are read by the version they ran with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class SiteTemplateRow(SQLModel, table=True):
    """A name, its current version, and whether it is still offered."""

    __tablename__ = "site_template"

    name: str = Field(primary_key=True, max_length=48)
    version: int
    """The current one; 0 only within the transaction that makes the first."""
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Since then nobody submits with it; old jobs keep it."""


class SiteTemplateVersion(SQLModel, table=True):
    """One published document; never changed and never taken away."""

    __tablename__ = "site_template_version"
    __table_args__ = (CheckConstraint("version >= 1", name="counts_from_one"),)

    name: str = Field(foreign_key="site_template.name", primary_key=True, max_length=48)
    version: int = Field(primary_key=True)
    document: str = Field(sa_column=Column(Text, nullable=False))
    """TOML, as it was published."""
    digest: str = Field(max_length=64)
    """SHA-256 of the document."""
    published_at: datetime = Field(sa_type=UtcDateTime)
    published_by: UUID | None = Field(default=None)
    """None: the operator, or the site's folder."""
