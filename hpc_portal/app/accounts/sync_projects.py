"""Places in projects that groups of the identity provider give: added, changed and taken at each sign-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlmodel import col

from hpc_portal.app import audit
from hpc_portal.app.accounts.external_person import ExternalPerson, GroupPlace, projects_of
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.services import Services
from hpc_portal.app.settings import IdentitySettings
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole, User
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from quotas.tables import Organisation, Project, TenantState

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Change:
    """A place that is not as the groups have it."""

    project_id: UUID
    account: str
    organisation_id: UUID
    is_in_organisation: bool
    was: ProjectRole | None
    role: ProjectRole | None
    """None: it is taken."""
    why: str
    """The group that gives it, or that nothing gives it any more."""


def sync_project_places(
    services: Services, settings: IdentitySettings, person: ExternalPerson, user_id: UUID
) -> None:
    """Make the places that came from the provider those that the person's groups give now.

    Who gets a place becomes a member of the project's organisation. Places that somebody gave by hand stay as
    they are, also where a group would give another one. Jobs of who loses a place go on.
    """
    wanted = projects_of(person, settings)
    with services.engine.connect() as connection:
        changes, unknown = _compare(connection, user_id, wanted)
    for account in unknown:
        log.warning("identity.place_not_set", project=account, problem="There is no such project.")
    if changes:
        transact(services.engine, lambda connection: _apply(services, connection, user_id, wanted))


def organisations_of(connection: Connection, wanted: Mapping[str, GroupPlace]) -> frozenset[str]:
    """Slugs of the organisations whose projects these are."""
    slugs = (
        select(col(Organisation.slug))
        .join(Project, col(Project.organisation_id) == col(Organisation.id))
        .where(col(Project.account).in_(list(wanted)), col(Project.state) != TenantState.CLOSED)
    )
    return frozenset(connection.execute(slugs).scalars()) if wanted else frozenset()


def _compare(
    connection: Connection, user_id: UUID, wanted: Mapping[str, GroupPlace]
) -> tuple[Sequence[_Change], Sequence[str]]:
    """What differs, by organisation and project; and the projects of the settings that there are not."""
    mine = and_(col(ProjectMember.project_id) == col(Project.id), col(ProjectMember.user_id) == user_id)
    member = and_(
        col(OrganisationMember.organisation_id) == col(Project.organisation_id),
        col(OrganisationMember.user_id) == user_id,
    )
    rows = connection.execute(
        select(
            *(col(Project.id), col(Project.account), col(Project.organisation_id), col(Project.state)),
            *(col(ProjectMember.role), col(ProjectMember.is_from_identity)),
            col(OrganisationMember.user_id).is_not(None).label("is_in_organisation"),
        )
        .outerjoin(ProjectMember, mine)
        .outerjoin(OrganisationMember, member)
        .where(or_(col(Project.account).in_(list(wanted)), col(ProjectMember.is_from_identity)))
        .order_by(col(Project.organisation_id), col(Project.account))
    ).all()
    changes = [change for row in rows if (change := _change_of(row, wanted.get(row.account)))]
    return changes, sorted(wanted.keys() - {row.account for row in rows})


def _change_of(row: AnyRow, place: GroupPlace | None) -> _Change | None:
    is_by_hand = row.role is not None and not row.is_from_identity
    role = place.role if place else None
    is_over = row.state is TenantState.CLOSED and role is not None
    if is_by_hand or is_over or row.role is role:
        return None
    why = f"group {place.group}" if place else "no group gives it any more"
    return _Change(
        row.id, row.account, row.organisation_id, bool(row.is_in_organisation), row.role, role, why
    )


def _apply(
    services: Services, connection: Connection, user_id: UUID, wanted: Mapping[str, GroupPlace]
) -> None:
    before, _ = _compare(connection, user_id, wanted)
    for organisation_id in sorted({change.organisation_id for change in before}):
        lock_organisation(connection, organisation_id)
    username = connection.execute(select(col(User.username)).where(col(User.id) == user_id)).scalar_one()
    changes, _ = _compare(connection, user_id, wanted)
    joined: set[UUID] = set()
    for change in changes:
        if change.role and not change.is_in_organisation and change.organisation_id not in joined:
            joined.add(change.organisation_id)
            connection.execute(
                insert(OrganisationMember).values(
                    organisation_id=change.organisation_id, user_id=user_id, role=OrganisationRole.MEMBER
                )
            )
        _place(connection, user_id, change)
    now = services.clock.now()
    for change in changes:
        audit.record(
            connection,
            at=now,
            actor=OPERATOR,
            action="project.member_set",
            subject=f"{change.account}/{username}",
            role=change.role and change.role.value,
            was=change.was and change.was.value,
            because=change.why,
        )


def _place(connection: Connection, user_id: UUID, change: _Change) -> None:
    is_it = (col(ProjectMember.project_id) == change.project_id, col(ProjectMember.user_id) == user_id)
    if change.role is None:
        connection.execute(delete(ProjectMember).where(*is_it))
    elif change.was is None:
        values = {"project_id": change.project_id, "user_id": user_id, "role": change.role}
        connection.execute(insert(ProjectMember).values(**values, is_from_identity=True))
    else:
        connection.execute(update(ProjectMember).where(*is_it).values(role=change.role))
