"""Where a person belongs, and where else they could: for the page on which their places are given."""

from typing import Any

from sqlmodel import Session

from hpc_portal.app.accounts.queries import list_places, list_visible_organisations, list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.web.tenant_words import ROLES
from quotas.tables import TenantState


def show_places(session: Session, actor: Actor, username: str) -> dict[str, Any]:
    """Their places, and the open organisations, and projects of their organisations, where they have none."""
    places = list_places(session, actor, username)
    slugs = {place.organisation for place in places}
    accounts = {place.account for place in places}
    organisations = list_visible_organisations(session, actor)
    projects = list_visible_projects(session, actor, organisations=slugs) if slugs else []
    return {
        "places": places,
        "organisations": [
            one for one in organisations if one.slug not in slugs and one.state is not TenantState.CLOSED
        ],
        "projects": [
            one for one in projects if one.account not in accounts and one.state is not TenantState.CLOSED
        ],
        "roles": ROLES,
        "organisation_roles": [role.value for role in reversed(OrganisationRole)],
        "project_roles": [role.value for role in reversed(ProjectRole)],
    }
