"""Service accounts: those of a project with their tokens, and those of the whole city."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from hpc_portal.app.accounts.issue_token import IssuedToken
from hpc_portal.app.actor import Actor
from hpc_portal.app.service_accounts.create import (
    LONGEST_DAYS,
    NewService,
    ServiceChange,
    change_service,
    create_service,
    end_service,
)
from hpc_portal.app.service_accounts.queries import list_all_services, list_project_services
from hpc_portal.app.service_accounts.tokens import (
    TOKEN_SCOPES,
    issue_service_token,
    revoke_service_token,
    rotate_service_token,
)
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.form_seed import seed_of
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.project_tabs import project_facts
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import carry_out, text_of
from hpc_portal.web.tenant_words import SERVICE_ENDS
from hpc_portal.web.token_scope import SCOPES, read_scope
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_OVERLAPS = ((24, N_("overlap of a day")), (0, N_("no overlap")), (168, N_("overlap of a week")))
_OF_PROJECT = "/projects/{account}/service-accounts"
_ONE = _OF_PROJECT + "/{service}"


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders the page again and again."""

    request: Request
    actor: Actor
    services: Services
    account: str

    def show(
        self,
        problems: Sequence[ShownProblem] = (),
        *,
        entered: Mapping[str, str] | None = None,
        token: IssuedToken | None = None,
    ) -> Response:
        at = self.services.clock.now()
        with self.services.reading() as session:
            details, facts = project_facts(session, self.actor, self.account, "service-accounts")
            found = list_project_services(session, self.actor, self.account, at=at)
        facts |= {
            "found": found,
            "problems": problems,
            "entered": entered or {},
            "new_token": token.secret if token else "",
            "people": [member.username for member in details.members],
            "me": self.actor.username,
            "ends": SERVICE_ENDS,
            "scopes": {scope: SCOPES[scope] for scope in TOKEN_SCOPES},
            "overlaps": _OVERLAPS,
            "longest_days": LONGEST_DAYS,
        }
        return pages_of(self.request).render(self.request, "project/service_accounts.html", facts)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"/projects/{self.account}/service-accounts"


@router.get(_OF_PROJECT)
def show(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """A project's, with their tokens."""
    return _Page(request, actor, services, account).show()


@router.get("/admin/service-accounts")
def show_all(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Those of the whole city."""
    with services.reading() as session:
        found = list_all_services(session, actor, at=services.clock.now())
    facts = {"found": found, "ends": SERVICE_ENDS}
    return pages_of(request).render(request, "admin/service_accounts.html", facts)


@router.post(_OF_PROJECT)
async def create(request: Request, actor: CurrentActor, services: PortalServices, account: str) -> Response:
    """A new one, without a token."""
    form = await request.form()
    entered = {name: text_of(form, name) for name in ("name", "purpose", "days")}
    new = NewService(entered["name"], entered["purpose"], _owners(form), _number(entered["days"]))
    page = _Page(request, actor, services, account)
    return await carry_out(
        request,
        lambda: create_service(services, actor, account, new),
        lambda problems: page.show(problems, entered=entered),
        page.address,
    )


@router.post(_ONE + "/change")
async def change(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    service: str,
) -> Response:
    """Who answers for it, what it is for, how long it is good."""
    form = await request.form()
    days = text_of(form, "days")
    wanted = ServiceChange(text_of(form, "purpose"), _owners(form), _number(days) if days else None)
    page = _Page(request, actor, services, account)
    return await carry_out(
        request,
        lambda: change_service(services, actor, account, service, wanted),
        page.show,
        page.address,
    )


@router.post(_ONE + "/end")
async def end(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    service: str,
) -> Response:
    """It and its tokens, for good."""
    page = _Page(request, actor, services, account)
    return await carry_out(
        request, lambda: end_service(services, actor, account, service), page.show, page.address
    )


@router.post(_ONE + "/tokens")
async def issue(
    request: Request, actor: CurrentActor, services: PortalServices, account: str, service: str
) -> Response:
    """A new token, shown in the answer and never again."""
    form, seed = await request.form(), await seed_of(request)
    scope = text_of(form, "scope")

    def deed() -> IssuedToken:
        return issue_service_token(
            services,
            actor,
            account,
            service,
            name=text_of(form, "name"),
            scope=read_scope(scope),
            valid_days=_number(text_of(form, "days")),
            seed=seed,
        )

    page = _Page(request, actor, services, account)
    return await carry_out(request, deed, page.show, lambda token: page.show(token=token))


@router.post(_ONE + "/tokens/{token_id}/rotate")
async def rotate(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    service: str,
    token_id: UUID,
) -> Response:
    """A token in the old one's stead, shown in the answer and never again."""
    hours = _number(text_of(await request.form(), "overlap_hours"))
    seed, page = await seed_of(request), _Page(request, actor, services, account)
    return await carry_out(
        request,
        lambda: rotate_service_token(
            services, actor, account, service, token_id, overlap_hours=hours, seed=seed
        ),
        page.show,
        lambda token: page.show(token=token),
    )


@router.post(_ONE + "/tokens/{token_id}/revoke")
async def revoke(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    service: str,
    token_id: UUID,
) -> Response:
    """A token, for good."""
    page = _Page(request, actor, services, account)
    return await carry_out(
        request,
        lambda: revoke_service_token(services, actor, account, service, token_id),
        page.show,
        page.address,
    )


def _owners(form: FormData) -> list[str]:
    return [value for value in form.getlist("owners") if isinstance(value, str)]


def _number(text: str) -> int:
    """What is no number is out of every range."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1  # noqa: PLR2004 - days, hours
