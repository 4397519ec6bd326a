"""The audit log as a page, for administrators and auditors: filtered by address, newest first."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.audit_log.read import AuditFilter, list_audit
from hpc_portal.app.reports.period import parse_day
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.audit_words import DEEDS
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_deed import show_deed
from quotas.slice_run import day_begins_at

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
    address: str = "",
    since: str = "",
    last: str = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Response:
    """Who did what, when, from where; before and after."""
    first_day, last_day = parse_day(since, "since"), parse_day(last, "last")
    wanted = AuditFilter(
        username.strip(),
        action.strip(),
        subject.strip(),
        day_begins_at(first_day) if first_day else None,
        day_begins_at(last_day + timedelta(days=1)) if last_day else None,
        address.strip(),
    )
    with services.reading() as session:
        page = list_audit(session, actor, wanted=wanted, before=before, limit=_AT_ONCE)
    asked = {
        "username": wanted.username,
        "action": wanted.action,
        "subject": wanted.subject,
        "address": wanted.address,
        "since": first_day.isoformat() if first_day else "",
        "last": last_day.isoformat() if last_day else "",
    }
    filters = {name: value for name, value in asked.items() if value}
    older = urlencode({**filters, "before": page.next_cursor}) if page.next_cursor else ""
    language = pages_of(request).language(request)
    facts = {
        "deeds": [show_deed(entry, language) for entry in page.items],
        "kinds": _kinds(language, wanted.action),
        "filters": asked,
        "is_filtered": bool(filters),
        "exports": [(name, _export(wanted, form)) for name, form in (("CSV", "csv"), ("JSON", "jsonl"))],
        "older": older,
    }
    return pages_of(request).render(request, "admin/audit.html", facts)


def _export(wanted: AuditFilter, form: str) -> str:
    """The query of the API's export with the same filter."""
    asked = {
        "username": wanted.username,
        "action": wanted.action,
        "subject": wanted.subject,
        "address": wanted.address,
        "since": wanted.since.isoformat() if wanted.since else "",
        "until": wanted.until.isoformat() if wanted.until else "",
    }
    return urlencode({**{name: value for name, value in asked.items() if value}, "format": form})


def _kinds(language: Language, chosen: str) -> list[tuple[str, str]]:
    """Every deed with its words, in their order; and what was chosen by address, such as `prices`."""
    found = [(action, language.text(text)) for action, text in DEEDS.items()]
    if chosen and chosen not in DEEDS:
        found.append((chosen, chosen))
    return sorted(found, key=lambda kind: kind[1])
