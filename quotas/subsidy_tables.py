"""Tables of the programmes that pay a part of prices, and of the rules by which they do."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from quotas.columns import BigSerial, UtcDateTime, Vnd
from quotas.tables import OrganisationKind, text_enum


class Programme(SQLModel, table=True):
    """Something the city promotes, in which projects take part: chip design start-ups, a course."""

    __tablename__ = "programme"

    slug: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=200)
    created_by: UUID | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)


class ProgrammeProject(SQLModel, table=True):
    """A project takes part in a programme for a time; jobs that are held already keep their subsidy."""

    __tablename__ = "programme_project"
    __table_args__ = (
        Index(
            "uq_programme_project_now",
            "project_id",
            "programme",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    programme: str = Field(foreign_key="programme.slug", primary_key=True, max_length=40)
    added_at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    added_by: UUID | None = None
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Exclusive; None: it still takes part."""
    removed_by: UUID | None = None


class SubsidyRuleRow(SQLModel, table=True):
    """A rule; every hold pins the one that it was made under. Only its end is ever changed."""

    __tablename__ = "subsidy_rule"
    __table_args__ = (
        CheckConstraint("basis_points >= 0 AND basis_points <= 10000", name="basis_points_in_range"),
        CheckConstraint("cap_vnd IS NULL OR cap_vnd >= 0", name="cap_not_negative"),
        CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name="period_in_order"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigSerial, primary_key=True, autoincrement=True))
    organisation_id: UUID | None = Field(default=None, foreign_key="organisation.id")
    """None: any organisation."""
    programme: str | None = Field(default=None, foreign_key="programme.slug", max_length=40)
    """None: in any programme, or in none."""
    organisation_kind: OrganisationKind | None = Field(
        default=None, sa_type=text_enum(OrganisationKind, "organisation_kind")
    )
    """None: any kind."""
    basis_points: int
    """Hundredths of a percent of the list price."""
    cap_vnd: int | None = Field(default=None, sa_type=Vnd)
    """At most so much for each run; None: no cap."""
    valid_from: datetime = Field(sa_type=UtcDateTime)
    valid_to: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Exclusive; None: until somebody ends it."""
    reason: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    created_by: UUID | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    ended_by: UUID | None = None
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
