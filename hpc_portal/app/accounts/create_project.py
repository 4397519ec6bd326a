"""Create a project of an organisation: what jobs are paid from."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.find import find_organisation
from hpc_portal.app.accounts.first_place import PlaceInOrganisation, give_lead, record_lead, record_place
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NameTaken
from hpc_portal.app.ids import new_id
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.keep_a_lead import lock_organisation
from quotas.journal import insert_once
from quotas.tables import Project, TenantState, table_of

_PROJECTS = table_of(Project)


def create_project(  # noqa: PLR0913 - a project's facts, all by keyword
    services: Services, actor: Actor, *, organisation: str, account: str, name: str, lead: str = ""
) -> UUID:
    """Returns the project's id; it has no budget yet.

    `organisation` is a slug; `account` is the project's name on the cluster, unique over all organisations.
    `lead` is a person's user name, or "" for nobody yet; they become a member of the organisation, too.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is no such organisation.
        InvalidEntry: a name is malformed, or nobody has the lead's user name.
        NameTaken: the account name is in use.
    """
    permissions.require(actor, Action.GRANT)
    checks.require([checks.slug_problem("account", account), checks.title_problem("name", name)])
    now = services.clock.now()

    def work(connection: Connection) -> UUID:
        organisation_id = find_organisation(connection, organisation)
        if lead:
            lock_organisation(connection, organisation_id)
        project_id = insert_project(connection, organisation_id, account=account, name=name, at=now)
        has_joined = bool(lead) and give_lead(
            connection, project_id=project_id, organisation_id=organisation_id, username=lead
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="project.created",
            subject=account,
            organisation=organisation,
        )
        if has_joined:
            place = PlaceInOrganisation(organisation, OrganisationRole.MEMBER)
            record_place(connection, actor, place, username=lead, at=now)
        if lead:
            record_lead(connection, actor, account=account, username=lead, at=now)
        return project_id

    return transact(services.engine, work)


def insert_project(
    connection: Connection, organisation_id: UUID, *, account: str, name: str, at: datetime
) -> UUID:
    """Store a project whose names make sense; returns its id.

    Raises:
        NameTaken: the account name is in use, also by a project that somebody else is making right now.
    """
    row = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "account": account,
        "name": name.strip(),
        "state": TenantState.ACTIVE,
        "created_at": at,
    }
    insert = insert_once(_PROJECTS)[connection.dialect.name].returning(_PROJECTS.c.id)
    made: UUID | None = connection.execute(insert, row).scalar()
    if made is None:
        raise NameTaken("project", account)
    return made
