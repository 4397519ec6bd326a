"""Projects of the city or of an organisation with state, people, jobs under way and đồng, in few queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Result, func, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.permissions import Action
from hpc_portal.app.service_accounts.in_force import is_person
from hpc_portal.app.tables import Job, ProjectMember
from quotas.money import VND
from quotas.tables import (
    Allocation,
    AllocationLine,
    LedgerAccount,
    Organisation,
    Project,
    TenantState,
    table_of,
)

_ACCOUNTS = table_of(LedgerAccount)
_AVAILABLE, _HELD, _CONSUMED = (_ACCOUNTS.alias(name) for name in ("available", "held", "consumed"))


@dataclass(frozen=True, slots=True)
class CityProject:
    """A project in a list, with its figures."""

    account: str
    name: str
    organisation: str
    """The organisation's slug."""
    organisation_name: str
    state: TenantState
    members: int
    jobs_under_way: int
    granted_vnd: int
    """Of allocations in force, and of those over whose jobs still hold something."""
    held_vnd: int
    used_vnd: int
    available_vnd: int


def list_city_projects(session: Session, actor: Actor, *, at: datetime) -> Sequence[CityProject]:
    """By organisation and account.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    return _listed(session, at)


def list_organisation_projects(
    session: Session, actor: Actor, organisation_id: UUID, *, at: datetime
) -> Sequence[CityProject]:
    """Those of one organisation that the actor may see, by account."""
    return _listed(
        session,
        at,
        permissions.visible_projects(actor),
        col(Project.organisation_id) == organisation_id,
    )


def _listed(session: Session, at: datetime, *where: ColumnElement[bool]) -> Sequence[CityProject]:
    people = is_person(col(ProjectMember.user_id))
    members = _counted(session, col(ProjectMember.project_id), ProjectMember, people)
    jobs = _counted(session, col(Job.project_id), Job, under_way())
    money = _money(session, at)
    rows: Result[*tuple[Any, ...]] = session.connection().execute(
        select(
            col(Project.id),
            col(Project.account),
            col(Project.name),
            col(Organisation.slug),
            col(Organisation.name).label("organisation_name"),
            col(Project.state),
        )
        .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
        .where(*where)
        .order_by(col(Organisation.slug), col(Project.account))
    )
    found = []
    for row in rows:
        sums = money.get(row.id)
        available, held, used = (
            (int(sums.available), int(sums.held), int(sums.consumed)) if sums else (0, 0, 0)
        )
        found.append(
            CityProject(
                account=row.account,
                name=row.name,
                organisation=row.slug,
                organisation_name=row.organisation_name,
                state=row.state,
                members=members.get(row.id, 0),
                jobs_under_way=jobs.get(row.id, 0),
                granted_vnd=available + held + used,
                held_vnd=held,
                used_vnd=used,
                available_vnd=available,
            )
        )
    return found


def _counted(session: Session, project: Any, model: type, *where: Any) -> Mapping[UUID, int]:  # noqa: ANN401 - columns
    statement = select(project, func.count()).select_from(model).where(*where).group_by(project)
    return {row[0]: row[1] for row in session.connection().execute(statement)}


def _money(session: Session, at: datetime) -> Mapping[UUID, AnyRow]:
    rows = session.connection().execute(
        select(
            col(Allocation.project_id),
            func.sum(_AVAILABLE.c.balance).label("available"),
            func.sum(_HELD.c.balance).label("held"),
            func.sum(_CONSUMED.c.balance).label("consumed"),
        )
        .join_from(Allocation, AllocationLine, col(AllocationLine.allocation_id) == col(Allocation.id))
        .join(_AVAILABLE, _AVAILABLE.c.id == col(AllocationLine.available_id))
        .join(_HELD, _HELD.c.id == col(AllocationLine.held_id))
        .join(_CONSUMED, _CONSUMED.c.id == col(AllocationLine.consumed_id))
        .where(
            col(AllocationLine.asset) == VND,
            col(Allocation.valid_from) <= at,
            (col(Allocation.valid_to) > at) | (_HELD.c.balance > 0),
        )
        .group_by(col(Allocation.project_id))
    )
    return {row.project_id: row for row in rows}
