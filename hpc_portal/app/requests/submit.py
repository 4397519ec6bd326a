"""Submit a request, also again with an answer, or withdraw it."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.recipients import administrators
from hpc_portal.app.requests.checks import messages_problem, purpose_problem
from hpc_portal.app.requests.draft import check, complete, facts_of, known_assets
from hpc_portal.app.requests.move import StoredRequest, load_for, move, note, tell
from hpc_portal.app.requests.tables import QuotaRequest, RequestLine
from hpc_portal.app.requests.transitions import Deed, RequestKind, RequestState
from hpc_portal.app.services import Services
from quotas.tables import Project


def submit_request(services: Services, actor: Actor, request_id: UUID, *, message: str = "") -> None:
    """Ask the administrators to decide; `message` answers what they asked when they returned it.

    What it asks for is checked as things stand now: a draft may have grown old.

    Raises:
        NotFound, NotAllowed: as for every request.
        RequestNotOpen: it was submitted or decided already.
        InvalidEntry: no purpose, a period that is over by now, an allocation that ended, or another request
            of the project under way for the same resources and time.
    """
    now = services.clock.now()
    known = known_assets(services)

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, Deed.SUBMIT)
        target = move(
            connection,
            request,
            Deed.SUBMIT,
            actor,
            at=now,
            message=message,
            changes={"submitted_at": now},
            facts=facts_of(request.wanted),
        )
        whole = complete(connection, request.project_id, request.wanted, now)
        check(connection, request.project_id, whole, known, now)
        require(
            [
                *messages_problem(message, needed=request.state is RequestState.RETURNED),
                purpose_problem(request.purpose),
                _twin_problem(connection, request),
            ]
        )
        tell(
            connection,
            request,
            NoticeKind.REQUEST_SUBMITTED,
            actor,
            to=administrators(connection),
            at=now,
            message=message,
        )
        note(connection, request, Deed.SUBMIT, actor, at=now, message=message, facts={"to": target.value})

    transact(services.engine, work)


def withdraw_request(services: Services, actor: Actor, request_id: UUID, *, message: str = "") -> None:
    """Take it back, as long as nobody has decided.

    Raises:
        NotFound, NotAllowed: as for every request.
        RequestNotOpen: it was decided or withdrawn already.
        InvalidEntry: the message is too long.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, Deed.WITHDRAW)
        require(messages_problem(message, needed=False))
        move(connection, request, Deed.WITHDRAW, actor, at=now, message=message)
        if request.state in {RequestState.SUBMITTED, RequestState.UNDER_REVIEW}:
            tell(
                connection,
                request,
                NoticeKind.REQUEST_WITHDRAWN,
                actor,
                to=administrators(connection),
                at=now,
                message=message,
            )
        note(connection, request, Deed.WITHDRAW, actor, at=now, message=message)

    transact(services.engine, work)


def _twin_problem(connection: Connection, request: StoredRequest) -> Problem | None:
    """Another request under way of this project that asks for the same: two grants would be a mistake.

    Whoever submits another one at this moment waits here until this one is stored.
    """
    connection.execute(
        select(col(Project.id)).where(col(Project.id) == request.project_id).with_for_update(key_share=True)
    )
    twin = (
        select(col(QuotaRequest.id))
        .where(
            col(QuotaRequest.project_id) == request.project_id,
            col(QuotaRequest.id) != request.id,
            col(QuotaRequest.kind) == request.kind,
            col(QuotaRequest.state).in_([RequestState.SUBMITTED, RequestState.UNDER_REVIEW]),
            col(QuotaRequest.valid_from) < request.valid_to,
            col(QuotaRequest.valid_to) > request.valid_from,
        )
        .order_by(col(QuotaRequest.id))
        .limit(1)
    )
    if request.kind is not RequestKind.EXTEND:
        twin = twin.join(RequestLine, col(RequestLine.request_id) == col(QuotaRequest.id)).where(
            col(RequestLine.asset).in_(list(request.lines))
        )
    found = connection.execute(twin).scalar()
    if found is None:
        return None
    return Problem(
        "period",
        "Request %(request)s of this project asks for the same in a time that overlaps. Wait for it, or "
        "withdraw it first.",
        {"request": str(found)},
    )
