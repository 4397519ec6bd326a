"""All projects that can pay for a job, small enough to be kept in memory and read again each second."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, or_, select
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.errors import TenantNotActive
from hpc_portal.app.tenants.tables import TenantStateChange
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

STOPPED_PROJECTS = (
    select(col(Project.id))
    .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
    .where(or_(col(Project.state) != TenantState.ACTIVE, col(Organisation.state) != TenantState.ACTIVE))
)
"""Ids of the projects that submit nothing now, by their own state or their organisation's."""


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
    reason: str = ""
    """Why it may not submit, where it may not."""

    @property
    def is_active(self) -> bool:
        """Whether both may submit."""
        return self.state is self.organisation_state is TenantState.ACTIVE

    def require_active(self) -> None:
        """Let pass while both may submit.

        Raises:
            TenantNotActive: the project or its organisation is suspended or closed.
        """
        if self.organisation_state is not TenantState.ACTIVE:
            raise TenantNotActive(self.organisation_name, self.organisation_state, self.reason)
        if self.state is not TenantState.ACTIVE:
            raise TenantNotActive(self.account, self.state, self.reason)


def load(connection: Connection) -> dict[str, PayingProject]:
    """Every project by its account name."""
    rows = connection.execute(_PROJECTS).all()
    reasons = _reasons(connection, rows)
    return {row.account: _project(row, reasons) for row in rows}


def refusals(connection: Connection, project_ids: Collection[UUID]) -> dict[UUID, TenantNotActive]:
    """Those of the projects that may not submit at this instant, each with what its people are told.

    The projects are locked against a change of state until the transaction ends, as inserting their jobs
    does anyway (a foreign key): whoever suspends one either comes first and is seen here, or finds the jobs.
    """
    if not project_ids:
        return {}
    rows = connection.execute(
        _PROJECTS.where(col(Project.id).in_(project_ids)).with_for_update(read=True, key_share=True)
    ).all()
    reasons = _reasons(connection, rows)
    found: dict[UUID, TenantNotActive] = {}
    for row in rows:
        try:
            _project(row, reasons).require_active()
        except TenantNotActive as refusal:
            found[row.id] = refusal
    return found


def _reasons(connection: Connection, rows: Collection[AnyRow]) -> Mapping[UUID, str]:
    """The last word on each tenant among these that is not active; there are few."""
    stopped = {row.id for row in rows if row.state is not TenantState.ACTIVE}
    stopped |= {row.organisation_id for row in rows if row.organisation_state is not TenantState.ACTIVE}
    if not stopped:
        return {}
    last = (
        select(func.max(col(TenantStateChange.sequence)))
        .where(col(TenantStateChange.tenant_id).in_(stopped))
        .group_by(col(TenantStateChange.tenant_id))
    )
    found = connection.execute(
        select(col(TenantStateChange.tenant_id), col(TenantStateChange.reason)).where(
            col(TenantStateChange.sequence).in_(last)
        )
    )
    return {row.tenant_id: row.reason for row in found}


def _project(row: AnyRow, reasons: Mapping[UUID, str]) -> PayingProject:
    own = reasons.get(row.id, "")
    whole = reasons.get(row.organisation_id, "") if row.organisation_state is not TenantState.ACTIVE else ""
    return replace(PayingProject(*row), reason=whole or own)
