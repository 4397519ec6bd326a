"""A person's page for those who run the city: where they belong, a new password, who they are on clusters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.change_settings import password_mark, reset_password
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user, unmap_cluster_user
from hpc_portal.app.accounts.queries import get_user, list_cluster_accounts
from hpc_portal.app.accounts.secret import new_password
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.web.entry_form import at_fields, by_field, entered_of
from hpc_portal.web.people import CITY_ROLES
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_places import show_places
from hpc_portal.web.tenant_forms import carry_out
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
            mark = password_mark(session.connection(), self.username)
            facts = {
                "person": get_user(session, self.actor, self.username),
                "accounts": list_cluster_accounts(session, self.actor, self.username),
                **show_places(session, self.actor, self.username),
            }
        facts |= {
            "form_key": mark,
            "is_service": mark is None,
            "home": self.address,
            "city_roles": CITY_ROLES,
            "clusters": sorted(self.services.settings.clusters_with_accounts),
            "is_new": is_new,
            "password": password,
            "problems": problems,
            "errors": by_field(problems),
            "entered": self.entered,
            "is_oneself": self.username == self.actor.username,
            "may_change": permissions.may(self.actor, Action.GRANT),
        }
        return pages_of(self.request).render(self.request, "admin/person.html", facts)

    async def change(self, deed: Callable[[], object], entered: Mapping[str, str] | None = None) -> Response:
        """Carry it out, and go to the page; or show it with what is wrong and what was entered."""
        page = replace(self, entered=entered or {})
        return await carry_out(self.request, deed, page.show, f"{self.address}/access")

    @property
    def address(self) -> str:
        """Where its forms are sent to, with more behind it."""
        return f"/admin/people/{quote(self.username, safe='')}"


async def person_page(
    request: Request, actor: CurrentActor, services: PortalServices, username: str
) -> PersonPage:
    """The page that the address names."""
    return PersonPage(request, actor, services, username)


@router.get(_ONE + "/access")
def show(page: Annotated[PersonPage, Depends(person_page)]) -> Response:
    """Who they are, and how they get in."""
    return page.show()


@router.post(_ONE + "/password")
async def set_password(page: Annotated[PersonPage, Depends(person_page)]) -> Response:
    """Another password, in place of one that was forgotten; one that the portal makes is shown once.

    The form's key is the mark of the password that it replaces.
    """
    entered, seed = await page.request.form(), await seed_of(page.request)
    typed, seen = (str(entered.get(name, "")) for name in ("password", "key"))
    password = typed or new_password(seed)

    def deed() -> None:
        reset_password(page.services, page.actor, username=page.username, new=password, seed=seed, seen=seen)

    shown = "" if typed else password
    return await carry_out(page.request, deed, page.show, lambda _: page.show(password=shown))


@router.post(_ONE + "/clusters")
async def set_cluster_account(page: Annotated[PersonPage, Depends(person_page)]) -> Response:
    """Say which account the person's jobs run as on a cluster."""
    entered = entered_of(await page.request.form(), ("cluster", "cluster_user", "uid"))

    def deed() -> None:
        account = AccountThere(entered["cluster_user"], _uid(entered["uid"]))
        with at_fields({"cluster account": "cluster_user"}):
            map_cluster_user(
                page.services, page.actor, page.username, cluster=entered["cluster"], account=account
            )

    return await page.change(deed, entered)


@router.post(_ONE + "/clusters/{cluster}/remove")
async def remove_cluster_account(page: Annotated[PersonPage, Depends(person_page)], cluster: str) -> Response:
    """Say that the person has no account there any more."""
    return await page.change(
        lambda: unmap_cluster_user(page.services, page.actor, page.username, cluster=cluster)
    )


def _uid(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidEntry([Problem("uid", N_("Enter a whole number."))])
    return int(text)
