"""The form with which an administrator takes on an organisation."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.create_organisation import create_organisation
from hpc_portal.app.offered import chosen
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.entry_form import EntryPage, at_fields, entered_of
from hpc_portal.web.tenant_forms import carry_out
from hpc_portal.web.tenant_words import KINDS
from quotas.tables import OrganisationKind

router = APIRouter(include_in_schema=False)

_TEMPLATE = "admin/new_organisation.html"
_FACTS = {"kinds": {kind.value: text for kind, text in KINDS.items()}}


@router.get("/admin/organisations/new")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """An empty form."""
    return EntryPage(request, actor, services, _TEMPLATE, lambda _: _FACTS).show()


@router.post("/admin/organisations")
async def create(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Create it, and go to its page."""
    entered = entered_of(await request.form(), ("name", "slug", "kind"))

    def deed() -> None:
        kind = chosen(OrganisationKind, entered["kind"], "kind")
        with at_fields({"organisation": "slug"}):
            create_organisation(services, actor, slug=entered["slug"], name=entered["name"], kind=kind)

    page = EntryPage(request, actor, services, _TEMPLATE, lambda _: _FACTS, entered)
    return await carry_out(request, deed, page.show, f"/organisations/{entered['slug']}")
