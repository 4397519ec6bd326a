"""Tables of tenants, prices, grants and the ledger. They know no users and no jobs: only their ids."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Enum
from sqlmodel import Field, SQLModel

from quotas.columns import UtcDateTime


class OrganisationKind(StrEnum):
    """What kind of tenant: prices and reports tell them apart."""

    UNIVERSITY = "university"
    TRAINING_CENTRE = "training_centre"
    STARTUP = "startup"
    CITY = "city"


class TenantState(StrEnum):
    """Whether an organisation or project may submit."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Submits nothing; what runs goes on."""
    CLOSED = "closed"


def text_enum(kind: type[StrEnum], name: str) -> Enum:
    """An enum column stored as its values in plain text, checked by a named constraint."""
    return Enum(kind, name=name, native_enum=False, length=24, values_callable=lambda k: [m.value for m in k])


class Organisation(SQLModel, table=True):
    """A tenant: a university, the training centre, a startup, the city."""

    __tablename__ = "organisation"

    id: UUID = Field(primary_key=True)
    slug: str = Field(unique=True, max_length=40)
    name: str = Field(max_length=200)
    kind: OrganisationKind = Field(sa_type=text_enum(OrganisationKind, "organisation_kind"))  # type: ignore[call-overload]
    state: TenantState = Field(
        default=TenantState.ACTIVE,
        sa_type=text_enum(TenantState, "organisation_state"),  # type: ignore[call-overload]
    )
    created_at: datetime = Field(sa_type=UtcDateTime)


class Project(SQLModel, table=True):
    """Who pays for a job: a project of one organisation. `account` is its name on the cluster."""

    __tablename__ = "project"

    id: UUID = Field(primary_key=True)
    organisation_id: UUID = Field(foreign_key="organisation.id", index=True)
    account: str = Field(unique=True, max_length=40)
    name: str = Field(max_length=200)
    state: TenantState = Field(
        default=TenantState.ACTIVE,
        sa_type=text_enum(TenantState, "project_state"),  # type: ignore[call-overload]
    )
    created_at: datetime = Field(sa_type=UtcDateTime)
