"""The prices: in force, to come and past, and who is subsidised, for everybody who signs in."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.permissions import Action
from hpc_portal.app.prices import queries
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_prices import show_lists, show_rules

router = APIRouter(include_in_schema=False)


@router.get("/prices")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every published list, and the subsidies that concern the reader."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    with services.engine.connect() as connection:
        lists = queries.price_lists(connection, now)
        rules = queries.subsidy_rules(connection, actor, now)
    facts = {
        "lists": show_lists(lists, language),
        "rules": [rule for rule in show_rules(rules, language) if not rule.is_over],
        "administers": permissions.may(actor, Action.AUDIT),
    }
    return pages.render(request, "prices/prices.html", facts)
