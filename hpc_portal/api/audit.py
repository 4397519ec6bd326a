"""The audit log, for administrators and auditors: in pages, or all of it as CSV or JSON lines."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from hpc_portal.api.audit_schemas import AuditReply
from hpc_portal.api.schemas import PageReply
from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.export import CSV_TYPE, JSON_LINES_TYPE, as_csv, as_json_lines
from hpc_portal.app.audit_log.read import AuditFilter, list_audit, walk_audit
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.instant import Instant

router = APIRouter(tags=["audit"])

Cursor = Annotated[int | None, Query(ge=0, lt=2**63)]


class AuditFormat(StrEnum):
    """How the log is written."""

    CSV = "csv"
    JSONL = "jsonl"


@router.get("/audit")
def audit(  # noqa: PLR0913 - one parameter for each filter
    *,
    services: PortalServices,
    actor: CurrentActor,
    username: str = "",
    action: str = "",
    subject: str = "",
    since: Instant | None = None,
    until: Instant | None = None,
    address: str = "",
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PageReply[AuditReply]:
    """Who did what, newest first. `action=prices` finds all that begins with `prices.`."""
    wanted = AuditFilter(username, action, subject, since, until, address)
    with services.reading() as session:
        page = list_audit(session, actor, wanted=wanted, before=cursor, limit=limit)
    return PageReply(
        items=[AuditReply.model_validate(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/audit/export", response_class=StreamingResponse)
def export(  # noqa: PLR0913 - one parameter for each filter
    *,
    services: PortalServices,
    actor: CurrentActor,
    username: str = "",
    action: str = "",
    subject: str = "",
    since: Instant | None = None,
    until: Instant | None = None,
    address: str = "",
    after: Cursor = None,
    kind: Annotated[AuditFormat, Query(alias="format")] = AuditFormat.JSONL,
) -> StreamingResponse:
    """What of the log is wanted, oldest first, with its hashes; `after` goes on from a sequence."""
    permissions.require(actor, Action.AUDIT)
    lines = _lines(
        services, actor, AuditFilter(username, action, subject, since, until, address), after or 0, kind
    )
    return StreamingResponse(
        lines,
        media_type=CSV_TYPE if kind is AuditFormat.CSV else JSON_LINES_TYPE,
        headers={
            "content-disposition": f'attachment; filename="audit.{kind.value}"',
            "cache-control": "no-store",
        },
    )


def _lines(
    services: Services, actor: Actor, wanted: AuditFilter, after: int, kind: AuditFormat
) -> Iterator[str]:
    with services.reading() as session:
        entries = walk_audit(session.connection(), actor, wanted=wanted, after=after)
        yield from as_csv(entries) if kind is AuditFormat.CSV else as_json_lines(entries)
