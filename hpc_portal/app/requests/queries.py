"""Every read of requests that a page, endpoint or command needs; nobody sees what their roles do not show."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound
from hpc_portal.app.jobs.queries import Page
from hpc_portal.app.permissions import Action
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.tables import QuotaRequest, RequestAttachment, RequestEvent, RequestLine
from hpc_portal.app.requests.transitions import ASKING, Deed, RequestKind, RequestState, possible
from hpc_portal.app.tables import ProjectRole, User
from quotas.amounts import Asset
from quotas.tables import Organisation, Project

UNDECIDED = (RequestState.SUBMITTED, RequestState.UNDER_REVIEW)
"""What waits for an administrator."""


@dataclass(frozen=True, slots=True)
class RequestedLine:
    """One asset: TRES-seconds, đồng or GiB."""

    asset: Asset
    asked: int
    granted: int | None
    """None until it is decided."""
    reason: str


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A request in a list."""

    id: UUID
    account: str
    """The project's."""
    project_name: str
    organisation_name: str
    kind: RequestKind
    state: RequestState
    valid_from: datetime
    valid_to: datetime
    """Not included."""
    requested_by: str
    """Their name."""
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    lines: tuple[RequestedLine, ...]


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One entry of a request's history."""

    deed: Deed
    state_before: RequestState | None
    state_after: RequestState
    at: datetime
    by: str
    """Their name; "" for the operator on the machine."""
    message: str


@dataclass(frozen=True, slots=True)
class ShownAttachment:
    """A file of a request."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """A whole request, and what the asking person may do with it now."""

    summary: RequestSummary
    organisation_id: UUID
    project_id: UUID
    version: int
    allocation_id: UUID | None
    purpose: str
    decided_by: str
    granted_to: datetime | None
    granted_allocation_id: UUID | None
    events: tuple[ShownEvent, ...]
    attachments: tuple[ShownAttachment, ...]
    may: frozenset[Deed]

    @property
    def wanted(self) -> WantedQuota:
        """What it asks for, as the form takes it."""
        return WantedQuota(
            self.summary.kind,
            {line.asset: line.asked for line in self.summary.lines},
            self.summary.valid_from,
            self.summary.valid_to,
            self.purpose,
            {line.asset: line.reason for line in self.summary.lines if line.reason},
            self.allocation_id,
        )


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """What a list is narrowed to; empty fields narrow nothing."""

    states: Collection[RequestState] = ()
    project: str = ""


_DECIDER = aliased(User, name="decider")
_SUMMARY: Select[*tuple[Any, ...]] = (
    select(
        col(QuotaRequest.id),
        col(Project.account),
        col(Project.name).label("project_name"),
        col(Organisation.name).label("organisation_name"),
        col(QuotaRequest.kind),
        col(QuotaRequest.state),
        col(QuotaRequest.valid_from),
        col(QuotaRequest.valid_to),
        col(User.display_name).label("requested_by"),
        col(QuotaRequest.created_at),
        col(QuotaRequest.submitted_at),
        col(QuotaRequest.decided_at),
    )
    .join(Project, col(Project.id) == col(QuotaRequest.project_id))
    .join(Organisation, col(Organisation.id) == col(QuotaRequest.organisation_id))
    .join(User, col(User.id) == col(QuotaRequest.requested_by))
)


def list_requests(
    session: Session,
    actor: Actor,
    wanted: RequestFilter | None = None,
    *,
    before: UUID | None = None,
    limit: int = 50,
) -> Page[RequestSummary]:
    """Requests of the projects that the actor sees, newest first; the cursor is the last one's id."""
    narrowed = wanted or RequestFilter()
    statement = _SUMMARY.where(visible_requests(actor)).order_by(col(QuotaRequest.id).desc()).limit(limit + 1)
    if narrowed.states:
        statement = statement.where(col(QuotaRequest.state).in_(list(narrowed.states)))
    if narrowed.project:
        statement = statement.where(col(Project.account) == narrowed.project)
    if before is not None:
        statement = statement.where(col(QuotaRequest.id) < before)
    rows = session.connection().execute(statement).all()
    lines = _lines_of(session, [row.id for row in rows[:limit]])
    items = tuple(_summary(row, lines) for row in rows[:limit])
    return Page(items, str(items[-1].id) if len(rows) > limit else None)


def list_inbox(session: Session, actor: Actor, *, limit: int = 200) -> tuple[RequestSummary, ...]:
    """What waits for a decision, the longest-waiting first.

    Raises:
        NotAllowed: only administrators decide; auditors may look.
    """
    permissions.require(actor, Action.AUDIT)
    statement = (
        _SUMMARY.where(col(QuotaRequest.state).in_(UNDECIDED))
        .order_by(col(QuotaRequest.submitted_at), col(QuotaRequest.id))
        .limit(limit)
    )
    rows = session.connection().execute(statement).all()
    lines = _lines_of(session, [row.id for row in rows])
    return tuple(_summary(row, lines) for row in rows)


def count_inbox(session: Session) -> int:
    """How many wait for a decision."""
    statement = select(func.count()).where(col(QuotaRequest.state).in_(UNDECIDED))
    return int(session.connection().execute(statement).scalar_one())


def get_request(session: Session, actor: Actor, request_id: UUID) -> RequestDetail:
    """One request with its history.

    Raises:
        NotFound: there is none, or none that the actor may see.
    """
    statement = (
        _SUMMARY.add_columns(
            col(QuotaRequest.organisation_id),
            col(QuotaRequest.project_id),
            col(QuotaRequest.version),
            col(QuotaRequest.allocation_id),
            col(QuotaRequest.purpose),
            col(_DECIDER.display_name).label("decided_by"),
            col(QuotaRequest.granted_to),
            col(QuotaRequest.granted_allocation_id),
        )
        .outerjoin(_DECIDER, col(_DECIDER.id) == col(QuotaRequest.decided_by))
        .where(col(QuotaRequest.id) == request_id, visible_requests(actor))
    )
    row = session.connection().execute(statement).first()
    if row is None:
        raise NotFound("request", request_id)
    return RequestDetail(
        summary=_summary(row, _lines_of(session, [request_id])),
        organisation_id=row.organisation_id,
        project_id=row.project_id,
        version=row.version,
        allocation_id=row.allocation_id,
        purpose=row.purpose,
        decided_by=row.decided_by or "",
        granted_to=row.granted_to,
        granted_allocation_id=row.granted_allocation_id,
        events=_events_of(session, request_id),
        attachments=_attachments_of(session, request_id),
        may=_may(actor, row.state, organisation_id=row.organisation_id, project_id=row.project_id),
    )


def visible_requests(actor: Actor) -> ColumnElement[bool]:
    """A WHERE clause: the requests that the actor may see. Drafts are for those who may submit them."""
    if permissions.may(actor, Action.REQUEST):
        return true()
    asking_projects = [key for key, role in actor.projects.items() if role is ProjectRole.LEAD]
    asking_organisations = [
        key for key in actor.organisations if permissions.may(actor, Action.REQUEST, organisation_id=key)
    ]
    asks = or_(
        col(QuotaRequest.project_id).in_(asking_projects),
        col(QuotaRequest.organisation_id).in_(asking_organisations),
    )
    is_shown = col(QuotaRequest.state) != RequestState.DRAFT
    if permissions.may(actor, Action.VIEW):
        return is_shown | asks
    return asks | (is_shown & col(QuotaRequest.project_id).in_(list(actor.projects)))


def _may(actor: Actor, state: RequestState, *, organisation_id: UUID, project_id: UUID) -> frozenset[Deed]:
    return frozenset(
        deed
        for deed in possible(state)
        if permissions.may(
            actor,
            Action.REQUEST if deed in ASKING else Action.GRANT,
            organisation_id=organisation_id,
            project_id=project_id,
        )
    )


def _summary(row: Any, lines: Mapping[UUID, tuple[RequestedLine, ...]]) -> RequestSummary:  # noqa: ANN401 - a row
    return RequestSummary(
        id=row.id,
        account=row.account,
        project_name=row.project_name,
        organisation_name=row.organisation_name,
        kind=row.kind,
        state=row.state,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        requested_by=row.requested_by,
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        decided_at=row.decided_at,
        lines=lines.get(row.id, ()),
    )


def _lines_of(session: Session, requests: Collection[UUID]) -> Mapping[UUID, tuple[RequestedLine, ...]]:
    found: dict[UUID, tuple[RequestedLine, ...]] = defaultdict(tuple)
    if not requests:
        return found
    rows = session.connection().execute(
        select(
            col(RequestLine.request_id),
            col(RequestLine.asset),
            col(RequestLine.asked),
            col(RequestLine.granted),
            col(RequestLine.reason),
        )
        .where(col(RequestLine.request_id).in_(list(requests)))
        .order_by(col(RequestLine.request_id), col(RequestLine.asset))
    )
    for row in rows:
        found[row.request_id] += (RequestedLine(row.asset, row.asked, row.granted, row.reason),)
    return found


def _events_of(session: Session, request_id: UUID) -> tuple[ShownEvent, ...]:
    rows = session.connection().execute(
        select(
            col(RequestEvent.deed),
            col(RequestEvent.state_before),
            col(RequestEvent.state_after),
            col(RequestEvent.at),
            func.coalesce(col(User.display_name), ""),
            col(RequestEvent.message),
        )
        .outerjoin(User, col(User.id) == col(RequestEvent.by_id))
        .where(col(RequestEvent.request_id) == request_id)
        .order_by(col(RequestEvent.sequence))
    )
    return tuple(ShownEvent(*row) for row in rows)


def _attachments_of(session: Session, request_id: UUID) -> tuple[ShownAttachment, ...]:
    rows = session.connection().execute(
        select(
            col(RequestAttachment.id),
            col(RequestAttachment.name),
            col(RequestAttachment.media_type),
            col(RequestAttachment.size_bytes),
            col(User.display_name),
            col(RequestAttachment.added_at),
        )
        .join(User, col(User.id) == col(RequestAttachment.added_by))
        .where(col(RequestAttachment.request_id) == request_id, col(RequestAttachment.removed_at).is_(None))
        .order_by(col(RequestAttachment.id))
    )
    return tuple(ShownAttachment(*row) for row in rows)
