"""Ask for a project's storage to be measured again: after files were deleted, nobody waits for an hour."""

from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app import permissions
from hpc_portal.app.accounts.find import find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from quotas.measured_storage import ask_to_measure


def measure_again(services: Services, actor: Actor, account: str) -> None:
    """Have it measured as soon as projects with older figures were; asking again meanwhile changes nothing.

    It changes no figure by itself and is told to nobody, so that the audit log leaves it out.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but does not work in it.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        project = find_project(connection, account)
        if not may_measure(actor, organisation_id=project.organisation_id, project_id=project.id):
            permissions.require(
                actor,
                Action.REQUEST,
                organisation_id=project.organisation_id,
                project_id=project.id,
                hidden_as=ProjectNotFound(account),
            )
        ask_to_measure(connection, project.id, at=now)

    transact(services.engine, work)


def may_measure(actor: Actor, *, organisation_id: UUID, project_id: UUID) -> bool:
    """Whoever submits to the project, or asks for its quota."""
    return any(
        permissions.may(actor, action, organisation_id=organisation_id, project_id=project_id)
        for action in (Action.SUBMIT, Action.REQUEST)
    )
