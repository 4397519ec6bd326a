"""All projects that can pay for a job, small enough to be kept in memory and read again each second."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select
from sqlmodel import col

from hpc_portal.app.errors import TenantNotActive
from quotas.tables import Organisation, Project, TenantState

_PROJECTS: Select[*tuple[Any, ...]] = select(
    col(Project.id),
    col(Project.account),
    col(Project.state),
    col(Project.organisation_id),
    col(Organisation.slug),
    col(Organisation.name),
    col(Organisation.state).label("organisation_state"),
).join(Organisation, col(Organisation.id) == col(Project.organisation_id))


@dataclass(frozen=True, slots=True)
class PayingProject:
    """A project with its organisation."""

    id: UUID
    account: str
    state: TenantState
    organisation_id: UUID
    organisation: str
    """The organisation's slug."""
    organisation_name: str
    organisation_state: TenantState

    def require_active(self) -> None:
        """Let pass while both may submit.

        Raises:
            TenantNotActive: the project or its organisation is suspended or closed.
        """
        if self.state is not TenantState.ACTIVE:
            raise TenantNotActive(f"Project {self.account}", self.state)
        if self.organisation_state is not TenantState.ACTIVE:
            raise TenantNotActive(self.organisation_name, self.organisation_state)


def load(connection: Connection) -> dict[str, PayingProject]:
    """Every project by its account name."""
    return {row.account: PayingProject(*row) for row in connection.execute(_PROJECTS)}
