"""Decide a request: approve it, approve it partly, or deny it; a grant can be used in the same instant."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, update
from sqlmodel import col

from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.requests.amounts import of_ledger
from hpc_portal.app.requests.checks import granted_problems, messages_problem
from hpc_portal.app.requests.draft import closed_problem
from hpc_portal.app.requests.move import StoredRequest, load_for, move, note, tell
from hpc_portal.app.requests.review import people_to_tell
from hpc_portal.app.requests.tables import QuotaRequest, RequestLine
from hpc_portal.app.requests.transitions import Deed, RequestKind
from hpc_portal.app.services import Services
from quotas.adjust_grant import extend, increase
from quotas.amounts import Asset
from quotas.grant import grant
from quotas.tables import table_of

_LINES = table_of(RequestLine)


def approve_request(
    services: Services, actor: Actor, request_id: UUID, *, message: str = "", version: int | None = None
) -> UUID | None:
    """Grant all that is asked; returns the allocation's id.

    Args:
        services: the portal's.
        actor: an administrator.
        request_id: which.
        message: said to whoever asked; may be empty.
        version: the one that was read; a request that changed since is not decided.

    Raises:
        NotFound, NotAllowed: as for every request.
        RequestNotOpen: somebody else decided first, it was withdrawn, or it is no longer as it was read.
        InvalidEntry: its period has ended by now.
        QuotaError: the ledger refuses, such as to increase an allocation that has ended.
    """
    return _grant(services, actor, request_id, Deed.APPROVE, message=message, version=version)


def approve_partly(  # noqa: PLR0913 - the facts of a decision, all by keyword
    services: Services,
    actor: Actor,
    request_id: UUID,
    *,
    granted: Mapping[Asset, int],
    valid_to: datetime | None = None,
    message: str,
    version: int | None = None,
) -> UUID | None:
    """Grant less than was asked, or for a shorter time, and say why.

    Args:
        services: the portal's.
        actor: an administrator.
        request_id: which.
        granted: by asset; what is missing is granted nothing of. For an extension there is none.
        valid_to: an earlier end than asked; None: as asked. An increase ends with its allocation.
        message: why; whoever asked reads it.
        version: the one that was read.

    Raises:
        NotFound, NotAllowed, RequestNotOpen, QuotaError: as in `approve_request`.
        InvalidEntry: nothing, more than was asked, or all of it is granted, or no reason is given.
    """
    return _grant(
        services,
        actor,
        request_id,
        Deed.APPROVE_PARTLY,
        granted=granted,
        valid_to=valid_to,
        message=message,
        version=version,
    )


def deny_request(
    services: Services, actor: Actor, request_id: UUID, *, message: str, version: int | None = None
) -> None:
    """Say no, and why.

    Raises:
        NotFound, NotAllowed, RequestNotOpen: as in `approve_request`.
        InvalidEntry: no reason is given.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, Deed.DENY)
        require(messages_problem(message, needed=True))
        move(
            connection,
            request,
            Deed.DENY,
            actor,
            at=now,
            message=message,
            seen_version=version,
            changes={"decided_at": now, "decided_by": _person(actor)},
        )
        _write_granted(connection, request, {})
        tell(
            connection,
            request,
            NoticeKind.REQUEST_DENIED,
            actor,
            to=people_to_tell(connection, request),
            at=now,
            message=message,
        )
        note(connection, request, Deed.DENY, actor, at=now, message=message)

    transact(services.engine, work)


def _grant(  # noqa: PLR0913 - the facts of a decision, all by keyword
    services: Services,
    actor: Actor,
    request_id: UUID,
    deed: Deed,
    *,
    granted: Mapping[Asset, int] | None = None,
    valid_to: datetime | None = None,
    message: str,
    version: int | None,
) -> UUID | None:
    now = services.clock.now()

    def work(connection: Connection) -> UUID | None:
        request = load_for(connection, actor, request_id, deed)
        lines = dict(request.lines) if granted is None else dict(granted)
        end = valid_to or request.valid_to
        is_part = deed is Deed.APPROVE_PARTLY
        require(
            [
                *messages_problem(message, needed=is_part),
                *granted_problems(request.lines, lines),
                _end_problem(request, end, now),
                closed_problem(connection, request.project_id),
                _whole_problem(request, lines, end) if is_part else None,
            ]
        )
        facts = {"granted": lines, "valid_to": end.isoformat()}
        move(
            connection,
            request,
            deed,
            actor,
            at=now,
            message=message,
            seen_version=version,
            changes={"decided_at": now, "decided_by": _person(actor), "granted_to": end},
            facts=facts,
        )
        _write_granted(connection, request, lines)
        allocation_id = _book(connection, request, lines, end, actor=actor, message=message, at=now)
        connection.execute(
            update(QuotaRequest)
            .where(col(QuotaRequest.id) == request.id)
            .values(granted_allocation_id=allocation_id)
        )
        tell(
            connection,
            request,
            NoticeKind.REQUEST_PARTLY_APPROVED if is_part else NoticeKind.REQUEST_APPROVED,
            actor,
            to=people_to_tell(connection, request),
            at=now,
            message=message,
            lines=lines,
        )
        note(
            connection,
            request,
            deed,
            actor,
            at=now,
            message=message,
            facts={**facts, "allocation_id": allocation_id and str(allocation_id)},
        )
        return allocation_id

    return transact(services.engine, work)


def _book(  # noqa: PLR0913 - the facts of a grant
    connection: Connection,
    request: StoredRequest,
    lines: Mapping[Asset, int],
    end: datetime,
    *,
    actor: Actor,
    message: str,
    at: datetime,
) -> UUID | None:
    """Have the ledger do it; its key is made from the request, so that no request is ever granted twice."""
    booked = of_ledger(lines)
    reason = f"request {request.id}: {message or request.purpose}"[:1000]
    match request.kind:
        case RequestKind.EXTEND:
            extend(
                connection,
                allocation_id=_target(request),
                valid_to=end,
                actor_id=_person(actor),
                reason=reason,
                at=at,
            )
            return request.allocation_id
        case RequestKind.INCREASE:
            if booked:
                increase(
                    connection,
                    allocation_id=_target(request),
                    lines=booked,
                    actor_id=_person(actor),
                    reason=reason,
                    key=f"request:{request.id}",
                    at=at,
                )
            return request.allocation_id
        case RequestKind.NEW | RequestKind.RENEW | RequestKind.SURGE:
            if not booked:
                return None
            return grant(
                connection,
                project_id=request.project_id,
                lines=booked,
                valid_from=request.valid_from,
                valid_to=end,
                overdraft=None,
                actor_id=_person(actor),
                reason=reason,
                idempotency_key=f"request:{request.id}",
                at=at,
            )


def _target(request: StoredRequest) -> UUID:
    assert request.allocation_id  # noqa: S101 - checked when it was drafted
    return request.allocation_id


def _person(actor: Actor) -> UUID | None:
    return actor.user_id if actor.user_id.int else None


def _write_granted(connection: Connection, request: StoredRequest, granted: Mapping[Asset, int]) -> None:
    rows = [
        {"id": request.id, "line": asset, "amount": granted.get(asset, 0)} for asset in sorted(request.lines)
    ]
    if rows:
        connection.execute(
            update(_LINES)
            .where(_LINES.c.request_id == bindparam("id"), _LINES.c.asset == bindparam("line"))
            .values(granted=bindparam("amount")),
            rows,
        )


def _end_problem(request: StoredRequest, end: datetime, now: datetime) -> Problem | None:
    if end.tzinfo is None:
        return Problem("valid_to", "Give the time zone, such as 2026-12-01T00:00:00+07:00.")
    if end <= now:
        return Problem("valid_to", "This period is over by now. Return the request and ask for another one.")
    if end > request.valid_to:
        return Problem("valid_to", "This is later than was asked for.")
    if end <= request.valid_from:
        return Problem("valid_to", "The period must end after it begins.")
    return None


def _whole_problem(request: StoredRequest, lines: Mapping[Asset, int], end: datetime) -> Problem | None:
    if request.kind is RequestKind.INCREASE and end != request.valid_to:
        return Problem("valid_to", "An increase ends with its allocation.")
    if end == request.valid_to and all(lines.get(a, 0) == asked for a, asked in request.lines.items()):
        return Problem("granted", "This grants all that was asked for. Approve the request instead.")
    return None
