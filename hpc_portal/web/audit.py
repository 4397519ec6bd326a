"""The audit log as a page, for administrators and auditors: filtered by address, newest first."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.audit_log.read import OPERATOR_NAME, AuditEntry, AuditFilter, list_audit
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of

router = APIRouter(include_in_schema=False)

_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class ShownDeed:
    """One row."""

    sequence: int
    at: datetime
    who: str
    address: str
    action: str
    subject: str
    before: str
    after: str
    hash: str


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
    facts = {
        "deeds": [_shown(entry) for entry in page.items],
        "filters": asked,
        "is_filtered": bool(filters),
        "export": urlencode({**filters, "format": "csv"}),
        "older": older,
    }
    return pages_of(request).render(request, "admin/audit.html", facts)


def _shown(entry: AuditEntry) -> ShownDeed:
    was = entry.facts.get("was")
    now = {name: value for name, value in entry.facts.items() if name != "was"}
    return ShownDeed(
        sequence=entry.sequence,
        at=entry.at,
        who=entry.username or OPERATOR_NAME,
        address=entry.address,
        action=entry.action,
        subject=entry.subject,
        before="" if was is None else _said(was),
        after=_said(now),
        hash=entry.hash,
    )


def _said(facts: Any) -> str:  # noqa: ANN401 - JSON
    """`role: lead, reason: thesis`; JSON inside."""
    if not isinstance(facts, Mapping):
        return facts if isinstance(facts, str) else json.dumps(facts, ensure_ascii=False)
    said = ((name, value) for name, value in facts.items() if value not in (None, ""))
    return ", ".join(f"{name}: {_said(value)}" for name, value in said)
