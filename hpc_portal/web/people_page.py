"""The page of an organisation's or a project's people, and what its forms do: the same for both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from fastapi import Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.services import Services
from hpc_portal.app.tenants.invite import Invited, Invitees, invite
from hpc_portal.app.tenants.queries import list_invitations
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out, read_emails, text_of

Role = TypeVar("Role", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Renders the page again and again."""

    request: Request
    actor: Actor
    services: Services
    place: Mapping[str, str]
    """`organisation` with a slug, or `project` with an account: as invitations name it."""
    address: str
    """Of the tenant's page, above that of its people."""
    template: str
    roles: type[StrEnum]
    read: Callable[[Session], tuple[dict[str, Any], bool]]
    """What the template needs of the tenant, and whether the actor manages its people."""

    def show(
        self,
        problems: Sequence[ShownProblem] = (),
        invited: Sequence[Invited] = (),
        entered: Mapping[str, str] | None = None,
    ) -> Response:
        """With what is wrong with a form, or the links of those who were just invited."""
        with self.services.reading() as session:
            facts, may_manage = self.read(session)
            invitations = list_invitations(session, self.actor, **self.place) if may_manage else ()
        facts |= {
            "problems": problems,
            "invited": invited,
            "entered": entered or {},
            "invitations": invitations,
            "now": self.services.clock.now(),
            "choices": [role.value for role in self.roles],
        }
        return pages_of(self.request).render(self.request, self.template, facts)

    async def change(self, deed: Callable[[], object]) -> Response:
        """Change who is what, and show the page."""
        return await carry_out(self.request, deed, self.show, f"{self.address}/members")

    async def invite(self) -> Response:
        """Send invitations, and show their links once."""
        form = await self.request.form()
        entered = {name: text_of(form, name) for name in ("emails", "role")}
        wanted = Invitees(read_emails(form), entered["role"], **self.place)
        return await carry_out(
            self.request,
            lambda: invite(self.services, self.actor, wanted),
            lambda problems: self.show(problems, entered=entered),
            lambda invited: self.show(invited=invited),
        )


async def wanted_role(request: Request, roles: type[Role]) -> Role | None:
    """The role that a form asks for; None: none, which ends the membership."""
    wanted = text_of(await request.form(), "role")
    return roles(wanted) if wanted in set(roles) else None
