"""The form with which an administrator lets a person sign in, with a place in an organisation."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.first_place import PlaceInOrganisation
from hpc_portal.app.accounts.queries import list_visible_organisations
from hpc_portal.app.accounts.secret import new_password
from hpc_portal.app.actor import Actor
from hpc_portal.app.offered import chosen
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole, OrganisationRole
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.web.entry_form import EntryPage, at_fields, entered_of
from hpc_portal.web.people import CITY_ROLES
from hpc_portal.web.person import PersonPage
from hpc_portal.web.tenant_forms import carry_out
from hpc_portal.web.tenant_words import ROLES
from quotas.tables import TenantState

router = APIRouter(include_in_schema=False)

_FIELDS = ("username", "display_name", "email", "organisation", "role", "global_role", "cluster_user")
_TAKEN = {"user": "username", "cluster account": "cluster_user"}


@router.get("/admin/people/new")
def show(request: Request, actor: CurrentActor, services: PortalServices, organisation: str = "") -> Response:
    """A form with nothing in it but perhaps the organisation."""
    return _page(request, actor, services, {"organisation": organisation}).show()


@router.post("/admin/people")
async def create(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Create the account, and show a password that the portal made, once."""
    form, seed = await request.form(), await seed_of(request)
    entered = entered_of(form, _FIELDS)
    typed = str(form.get("password", ""))
    password = typed or new_password(seed)

    def deed() -> None:
        place, role = _place(entered), entered["global_role"]
        new = NewUser(
            username=entered["username"],
            display_name=entered["display_name"],
            password=password,
            email=entered["email"],
            global_role=chosen(GlobalRole, role, "global_role") if role else None,
            cluster_user=entered["cluster_user"],
        )
        with at_fields(_TAKEN):
            create_user(services, actor, new, place=place, seed=seed)

    def made(_: None) -> Response:
        page = PersonPage(request, actor, services, entered["username"])
        return page.show(is_new=True, password="" if typed else password)

    return await carry_out(request, deed, _page(request, actor, services, entered).show, made)


def _place(entered: Mapping[str, str]) -> PlaceInOrganisation | None:
    if not entered["organisation"]:
        return None
    return PlaceInOrganisation(entered["organisation"], chosen(OrganisationRole, entered["role"], "role"))


def _page(request: Request, actor: Actor, services: Services, entered: Mapping[str, str]) -> EntryPage:
    def facts(session: Session) -> Mapping[str, Any]:
        found = list_visible_organisations(session, actor)
        return {
            "organisations": [one for one in found if one.state is not TenantState.CLOSED],
            "roles": {role.value: ROLES[role.value] for role in reversed(OrganisationRole)},
            "global_roles": {role.value: text for role, text in CITY_ROLES.items()},
        }

    return EntryPage(request, actor, services, "admin/new_person.html", facts, entered)
