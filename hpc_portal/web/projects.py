"""Every project with its balance, for those who see the whole city."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.permissions import Action, require
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_quota import total_vnd
from quotas.balance import AssetBalance, balances

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """The đồng of one project, or of all."""

    granted: str
    held: str
    used: str
    available: str
    account: str = ""
    name: str = ""
    organisation: str = ""


@router.get("/admin/projects")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Projects by account, and the sum."""
    require(actor, Action.AUDIT)
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.reading() as session:
        records = list_visible_projects(session, actor)
        by_project = balances(session.connection(), [record.id for record in records], now)
    budgets = [by_project[record.id] for record in records]
    rows = [
        _row(
            total_vnd([budget]),
            language,
            account=record.account,
            name=record.name,
            organisation=record.organisation_name,
        )
        for record, budget in zip(records, budgets, strict=True)
    ]
    facts = {"projects": rows, "totals": _row(total_vnd(budgets), language)}
    return pages.render(request, "admin/projects.html", facts)


def _row(
    amounts: AssetBalance, language: Language, *, account: str = "", name: str = "", organisation: str = ""
) -> MoneyRow:
    return MoneyRow(
        granted=language.vnd(amounts.granted),
        held=language.vnd(amounts.held),
        used=language.vnd(amounts.consumed),
        available=language.vnd(amounts.available),
        account=account,
        name=name,
        organisation=organisation,
    )
