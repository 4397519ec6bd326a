"""Create a project of an organisation: what jobs are paid from."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.find import find_organisation
from hpc_portal.app.accounts.first_place import give_lead
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NameTaken
from hpc_portal.app.ids import new_id
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
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
        project_id = insert_project(connection, organisation_id, account=account, name=name, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="project.created",
            subject=account,
            organisation=organisation,
        )
        if lead:
            give_lead(
                connection,
                actor,
                project=(project_id, account),
                organisation=(organisation_id, organisation),
                username=lead,
                at=now,
            )
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
