"""Create an organisation: a tenant."""

from uuid import UUID

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NameTaken
from hpc_portal.app.ids import new_id
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from quotas.tables import Organisation, OrganisationKind, TenantState


def create_organisation(
    services: Services, actor: Actor, *, slug: str, name: str, kind: OrganisationKind
) -> UUID:
    """Returns the organisation's id.

    Raises:
        NotAllowed: only administrators may.
        InvalidEntry: a name is malformed.
        NameTaken: the slug is in use.
    """
    permissions.require(actor, Action.GRANT)
    checks.require([checks.slug_problem("slug", slug), checks.title_problem("name", name)])
    now = services.clock.now()

    def work(connection: Connection) -> UUID:
        if connection.execute(select(col(Organisation.id)).where(col(Organisation.slug) == slug)).first():
            raise NameTaken("organisation", slug)
        organisation_id = new_id()
        connection.execute(
            insert(Organisation).values(
                id=organisation_id,
                slug=slug,
                name=name.strip(),
                kind=kind,
                state=TenantState.ACTIVE,
                created_at=now,
            )
        )
        audit.record(
            connection, at=now, actor=actor, action="organisation.created", subject=slug, kind=kind.value
        )
        return organisation_id

    return transact(services.engine, work)
