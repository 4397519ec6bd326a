"""The audit log as a page, for administrators and auditors: filtered by address, newest first."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.audit_log.read import AuditFilter, list_audit
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.audit_words import DEEDS
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_deed import show_deed

router = APIRouter(include_in_schema=False)

_AT_ONCE = 50


@router.get("/admin/audit")
def show(  # noqa: PLR0913 - one parameter for each filter
    *,
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    username: str = "",
    action: str = "",
    subject: str = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Response:
    """Who did what, when, from where; before and after."""
    wanted = AuditFilter(username.strip(), action.strip(), subject.strip())
    with services.reading() as session:
        page = list_audit(session, actor, wanted=wanted, before=before, limit=_AT_ONCE)
    asked = {"username": wanted.username, "action": wanted.action, "subject": wanted.subject}
    filters = {name: value for name, value in asked.items() if value}
    older = urlencode({**filters, "before": page.next_cursor}) if page.next_cursor else ""
    language = pages_of(request).language(request)
    facts = {
        "deeds": [show_deed(entry, language) for entry in page.items],
        "kinds": _kinds(language, wanted.action),
        "filters": asked,
        "is_filtered": bool(filters),
        "export": urlencode({**filters, "format": "csv"}),
        "older": older,
    }
    return pages_of(request).render(request, "admin/audit.html", facts)


def _kinds(language: Language, chosen: str) -> list[tuple[str, str]]:
    """Every deed with its words, in their order; and what was chosen by address, such as `prices`."""
    found = [(action, language.text(text)) for action, text in DEEDS.items()]
    if chosen and chosen not in DEEDS:
        found.append((chosen, chosen))
    return sorted(found, key=lambda kind: kind[1])
