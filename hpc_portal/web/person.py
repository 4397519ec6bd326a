"""A person's page for those who run the city: where they belong, a new password, who they are on clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.find import find_person
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user, unmap_cluster_user
from hpc_portal.app.accounts.queries import (
    UserRecord,
    list_cluster_accounts,
    list_places,
    list_users,
    list_visible_organisations,
    list_visible_projects,
)
from hpc_portal.app.accounts.secret import new_password
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NotFound, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices
from hpc_portal.web.entry_form import at_fields, by_field, entered_of
from hpc_portal.web.people import CITY_ROLES
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out
from hpc_portal.web.tenant_words import ROLES
from quotas.tables import TenantState
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_ONE = "/admin/people/{username}"
_MOST_DIGITS = 10
"""Of 2**32."""


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Renders the page again and again."""

    request: Request
    actor: Actor
    services: Services
    username: str
    entered: Mapping[str, str] = field(default_factory=dict)

    def show(
        self, problems: Sequence[ShownProblem] = (), *, is_new: bool = False, password: str | None = None
    ) -> Response:
        """With a password that was just set: one that the portal made is shown, one that was typed ("") not.

        Raises:
            NotAllowed: only administrators and auditors may see it.
            NotFound: there is no such person.
        """
        with self.services.reading() as session:
            person = _find(session, self.actor, self.username)
            is_service = not _is_person(session, self.username)
            accounts = [
                one for one in list_cluster_accounts(session, self.actor) if one.username == self.username
            ]
            places = list_places(session, self.actor, self.username)
            organisations = list_visible_organisations(session, self.actor)
            own = {place.organisation for place in places}
            projects = [one for one in list_visible_projects(session, self.actor) if one.organisation in own]
        clusters = sorted(self.services.settings.clusters_with_accounts)
        facts = {
            "person": person,
            "home": self.address,
            "city_roles": CITY_ROLES,
            "accounts": accounts,
            "clusters": clusters,
            "places": places,
            "organisations": [one for one in organisations if one.state is not TenantState.CLOSED],
            "projects": [one for one in projects if one.state is not TenantState.CLOSED],
            "roles": ROLES,
            "organisation_roles": [role.value for role in reversed(OrganisationRole)],
            "project_roles": [role.value for role in reversed(ProjectRole)],
            "is_new": is_new,
            "password": password,
            "problems": problems,
            "errors": by_field(problems),
            "entered": self.entered,
            "is_service": is_service,
            "is_oneself": self.username == self.actor.username,
            "may_change": permissions.may(self.actor, Action.GRANT),
        }
        return pages_of(self.request).render(self.request, "admin/person.html", facts)

    @property
    def address(self) -> str:
        """Where its forms are sent to, with more behind it."""
        return f"/admin/people/{quote(self.username, safe='')}"


@router.get(_ONE + "/access")
def show(request: Request, actor: CurrentActor, services: PortalServices, username: str) -> Response:
    """Who they are, and how they get in."""
    return PersonPage(request, actor, services, username).show()


@router.post(_ONE + "/password")
async def set_password(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    username: str,
) -> Response:
    """Another password, in place of one that was forgotten; one that the portal makes is shown once."""
    typed = str((await request.form()).get("password", ""))
    password = typed or new_password()

    def deed() -> None:
        reset_password(services, actor, username=username, new=password)
        identities.forget()

    page = PersonPage(request, actor, services, username)
    shown = "" if typed else password
    return await carry_out(request, deed, page.show, lambda _: page.show(password=shown))


@router.post(_ONE + "/clusters")
async def set_cluster_account(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    username: str,
) -> Response:
    """Say which account the person's jobs run as on a cluster."""
    entered = entered_of(await request.form(), ("cluster", "cluster_user", "uid"))

    def deed() -> None:
        account = AccountThere(entered["cluster_user"], _uid(entered["uid"]))
        with at_fields({"cluster account": "cluster_user"}):
            map_cluster_user(services, actor, username, cluster=entered["cluster"], account=account)
        identities.forget()

    page = PersonPage(request, actor, services, username, entered)
    return await carry_out(request, deed, page.show, f"{page.address}/access")


@router.post(_ONE + "/clusters/{cluster}/remove")
async def remove_cluster_account(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    identities: KnownIdentities,
    username: str,
    cluster: str,
) -> Response:
    """Say that the person has no account there any more."""

    def deed() -> None:
        unmap_cluster_user(services, actor, username, cluster=cluster)
        identities.forget()

    page = PersonPage(request, actor, services, username)
    return await carry_out(request, deed, page.show, f"{page.address}/access")


def _find(session: Session, actor: Actor, username: str) -> UserRecord:
    found = next((one for one in list_users(session, actor) if one.username == username), None)
    if found is None:
        raise NotFound("user", username)
    return found


def _is_person(session: Session, username: str) -> bool:
    """Service accounts have no password."""
    try:
        find_person(session.connection(), username)
    except NotFound:
        return False
    return True


def _uid(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidEntry([Problem("uid", N_("Enter a whole number."))])
    return int(text)
