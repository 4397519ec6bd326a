"""A place that people are invited to: an organisation as a whole, or one of its projects."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem, ProjectNotFound, TenantClosed
from hpc_portal.app.permissions import Action
from quotas.tables import Organisation, Project, TenantState


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two."""

    organisation_id: UUID
    organisation: str
    """Its slug."""
    organisation_name: str
    is_closed: bool
    project_id: UUID | None = None
    account: str = ""

    @property
    def id(self) -> UUID:
        """Of the project, or else of the organisation."""
        return self.project_id or self.organisation_id

    @property
    def name(self) -> str:
        """The account, or else the slug."""
        return self.account or self.organisation

    @property
    def title(self) -> str:
        """As people are told who do not know it yet."""
        return f"{self.account} ({self.organisation_name})" if self.account else self.organisation_name

    def require_open(self) -> None:
        """Let pass unless it is closed.

        Raises:
            TenantClosed: it is, for good.
        """
        if self.is_closed:
            raise TenantClosed(self.name)


def find_place(  # noqa: PLR0913 - either by name or by id
    connection: Connection,
    actor: Actor,
    *,
    organisation: str = "",
    project: str = "",
    organisation_id: UUID | None = None,
    project_id: UUID | None = None,
) -> Place:
    """The place, for somebody who manages its members: by slug or account, or by ids.

    Raises:
        InvalidEntry: neither or both are named.
        NotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but does not manage its members.
    """
    if bool(organisation or (organisation_id and not project_id)) == bool(project or project_id):
        raise InvalidEntry([Problem("organisation", "Give either an organisation or a project.")])
    place = load_place(
        connection,
        organisation=organisation,
        project=project,
        organisation_id=organisation_id,
        project_id=project_id,
    )
    hidden = ProjectNotFound(project) if project or project_id else NotFound("organisation", organisation)
    if place is None:
        raise hidden
    permissions.require(
        actor,
        Action.MANAGE_MEMBERS,
        organisation_id=place.organisation_id,
        project_id=place.project_id,
        hidden_as=hidden,
    )
    return place


def load_place(
    connection: Connection,
    *,
    organisation: str = "",
    project: str = "",
    organisation_id: UUID | None = None,
    project_id: UUID | None = None,
) -> Place | None:
    """The place, whoever asks; None when there is none."""
    columns = (
        col(Organisation.id),
        col(Organisation.slug),
        col(Organisation.name),
        col(Organisation.state),
    )
    if not project and not project_id:
        wanted = (
            col(Organisation.slug) == organisation
            if organisation
            else col(Organisation.id) == organisation_id
        )
        row = connection.execute(select(*columns).where(wanted)).first()
        return row and Place(row.id, row.slug, row.name, row.state is TenantState.CLOSED)
    statement: Select[*tuple[Any, ...]] = (
        select(
            *columns,
            col(Project.id).label("project_id"),
            col(Project.account),
            col(Project.state).label("project_state"),
        )
        .join(Project, col(Project.organisation_id) == col(Organisation.id))
        .where(col(Project.account) == project if project else col(Project.id) == project_id)
    )
    found = connection.execute(statement).first()
    if found is None:
        return None
    is_closed = TenantState.CLOSED in {found.state, found.project_state}
    return Place(found.id, found.slug, found.name, is_closed, found.project_id, found.account)
