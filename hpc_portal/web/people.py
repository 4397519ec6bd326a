"""Everybody who signs in, for those who run the city; and a lost second factor taken away."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import list_users
from hpc_portal.app.accounts.reset_second_factor import reset_second_factor
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out, text_of
from workloads.template import N_

router = APIRouter(include_in_schema=False)

CITY_ROLES = {GlobalRole.ADMINISTRATOR: N_("Administrator"), GlobalRole.AUDITOR: N_("Auditor")}
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders the page again and again."""

    request: Request
    actor: Actor
    services: Services
    text: str = ""
    done: str = ""

    def show(self, problems: Sequence[ShownProblem] = ()) -> Response:
        with self.services.reading() as session:
            everybody = list_users(session, self.actor)
        wanted = self.text.strip().casefold()
        found = [
            one for one in everybody if wanted in f"{one.username} {one.display_name} {one.email}".casefold()
        ]
        facts = {
            "people": found[:_MOST_SHOWN],
            "more": max(0, len(found) - _MOST_SHOWN),
            "text": self.text,
            "done": self.done,
            "roles": CITY_ROLES,
            "problems": problems,
            "me": self.actor.username,
            "may_change": permissions.may(self.actor, Action.GRANT),
        }
        return pages_of(self.request).render(self.request, "admin/people.html", facts)


@router.get("/admin/people")
def show(
    request: Request, actor: CurrentActor, services: PortalServices, text: str = "", done: str = ""
) -> Response:
    """Those whose names or address have the text in them."""
    return _Page(request, actor, services, text, done).show()


@router.post("/admin/people/{username}/second-factor")
async def reset(request: Request, actor: CurrentActor, services: PortalServices, username: str) -> Response:
    """Take away the second factor of somebody who lost it."""
    reason = text_of(await request.form(), "reason")
    return await carry_out(
        request,
        lambda: reset_second_factor(services, actor, username, reason=reason),
        _Page(request, actor, services, username).show,
        lambda _: _Page(request, actor, services, username, done=username).show(),
    )
