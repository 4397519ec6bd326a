"""The one way in which a request changes: guarded by its state and version, recorded, told, audited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound, RequestNotOpen
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.permissions import Action
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.tables import QuotaRequest, RequestEvent, RequestLine
from hpc_portal.app.requests.transitions import ASKING, Deed, RequestKind, RequestState, after
from hpc_portal.app.tables import User
from quotas.amounts import Asset
from quotas.tables import Project


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request as it stands, for the verbs that change it."""

    id: UUID
    organisation_id: UUID
    project_id: UUID
    account: str
    """The project's."""
    requested_by: UUID
    kind: RequestKind
    state: RequestState
    version: int
    allocation_id: UUID | None
    valid_from: datetime
    valid_to: datetime
    purpose: str
    lines: Mapping[Asset, int]
    reasons: Mapping[Asset, str]

    @property
    def wanted(self) -> WantedQuota:
        """What it asks for."""
        return WantedQuota(
            self.kind,
            self.lines,
            self.valid_from,
            self.valid_to,
            self.purpose,
            self.reasons,
            self.allocation_id,
        )


def load_for(connection: Connection, actor: Actor, request_id: UUID, deed: Deed) -> StoredRequest:
    """The request, when this person may do that with requests of its project.

    Raises:
        NotFound: there is none, or none that they may see.
        NotAllowed: they see it, but may not do this.
    """
    row = connection.execute(
        select(
            *(col(getattr(QuotaRequest, name)) for name in _COLUMNS),
            col(Project.account),
        )
        .join(Project, col(Project.id) == col(QuotaRequest.project_id))
        .where(col(QuotaRequest.id) == request_id)
    ).first()
    hidden = NotFound("request", request_id)
    if row is None:
        raise hidden
    permissions.require(
        actor,
        Action.REQUEST if deed in ASKING else Action.GRANT,
        organisation_id=row.organisation_id,
        project_id=row.project_id,
        hidden_as=hidden,
    )
    lines = connection.execute(
        select(col(RequestLine.asset), col(RequestLine.asked), col(RequestLine.reason))
        .where(col(RequestLine.request_id) == request_id)
        .order_by(col(RequestLine.asset))
    ).all()
    return StoredRequest(
        **row._mapping,  # noqa: SLF001 - SQLAlchemy's public name
        lines={line.asset: line.asked for line in lines},
        reasons={line.asset: line.reason for line in lines if line.reason},
    )


_COLUMNS = (
    *("id", "organisation_id", "project_id", "requested_by", "kind", "state", "version"),
    *("allocation_id", "valid_from", "valid_to", "purpose"),
)


def move(  # noqa: PLR0913 - what is done, by whom, and what it changes
    connection: Connection,
    request: StoredRequest,
    deed: Deed,
    actor: Actor,
    *,
    at: datetime,
    message: str = "",
    seen_version: int | None = None,
    changes: Mapping[str, object] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> RequestState:
    """Take a request to where the deed leads: once, whoever else tries at the same moment.

    The state and version stand in the UPDATE itself: of two who decide at once, the second finds no row.

    Raises:
        RequestNotOpen: it stands where the deed is not possible, or was changed since it was read.
    """
    target = after(request.state, deed)
    if target is None or (seen_version is not None and seen_version != request.version):
        raise not_open(connection, request.id, deed)
    changed = connection.execute(
        update(QuotaRequest)
        .where(
            col(QuotaRequest.id) == request.id,
            col(QuotaRequest.state) == request.state,
            col(QuotaRequest.version) == request.version,
        )
        .values(state=target, version=request.version + 1, **(changes or {}))
    )
    if changed.rowcount == 0:
        raise not_open(connection, request.id, deed)
    record_event(
        connection,
        request_id=request.id,
        deed=deed,
        before=request.state,
        after=target,
        actor=actor,
        at=at,
        message=message,
        facts=facts or {},
    )
    return target


def note(  # noqa: PLR0913 - what was done with what, by whom
    connection: Connection,
    request: StoredRequest,
    deed: Deed,
    actor: Actor,
    *,
    at: datetime,
    message: str = "",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write it into the audit log: the last thing in the transaction of a deed."""
    audit.record(
        connection,
        at=at,
        actor=actor,
        action=f"request.{_PAST[deed]}",
        subject=request.account,
        request_id=str(request.id),
        was=request.state.value,
        state=after(request.state, deed),
        message=message,
        **(facts or {}),
    )


_PAST = {
    Deed.DRAFT: "drafted",
    Deed.EDIT: "edited",
    Deed.ATTACH: "attachment_added",
    Deed.DETACH: "attachment_removed",
    Deed.SUBMIT: "submitted",
    Deed.WITHDRAW: "withdrawn",
    Deed.START_REVIEW: "review_started",
    Deed.RETURN: "returned",
    Deed.APPROVE: "approved",
    Deed.APPROVE_PARTLY: "partly_approved",
    Deed.DENY: "denied",
}


def record_event(  # noqa: PLR0913 - the columns of an event
    connection: Connection,
    *,
    request_id: UUID,
    deed: Deed,
    before: RequestState | None,
    after: RequestState,
    actor: Actor,
    at: datetime,
    message: str,
    facts: Mapping[str, Any],
) -> None:
    """Add to the history of a request."""
    connection.execute(
        insert(RequestEvent).values(
            request_id=request_id,
            deed=deed,
            state_before=before,
            state_after=after,
            at=at,
            by_id=actor.user_id if actor.user_id.int else None,
            message=message,
            facts=dict(facts),
        )
    )


def not_open(connection: Connection, request_id: UUID, deed: Deed) -> RequestNotOpen:
    """Why the deed cannot be done now: how the request stands, and who brought it there."""
    last = connection.execute(
        select(col(RequestEvent.state_after), col(RequestEvent.at), col(User.display_name))
        .outerjoin(User, col(User.id) == col(RequestEvent.by_id))
        .where(col(RequestEvent.request_id) == request_id)
        .order_by(col(RequestEvent.sequence).desc())
        .limit(1)
    ).one()
    return RequestNotOpen(
        request_id, deed.value, last.state_after.value, by=last.display_name or "", at=last.at
    )


def tell(  # noqa: PLR0913 - what, about what, whom
    connection: Connection,
    request: StoredRequest,
    kind: NoticeKind,
    actor: Actor,
    *,
    to: Iterable[UUID],
    at: datetime,
    message: str = "",
    lines: Mapping[Asset, int] | None = None,
) -> None:
    """Tell people of a deed; never whoever did it."""
    notify(
        connection,
        to=set(to) - {actor.user_id},
        kind=kind,
        facts={
            "request_id": str(request.id),
            "project": request.account,
            "by": actor.display_name,
            "purpose": request.purpose,
            "message": message,
            "lines": dict(request.lines if lines is None else lines),
            "until_on": request.valid_to.isoformat(),
        },
        at=at,
        key=f"request:{request.id}:{request.version}:{kind.value}",
    )
