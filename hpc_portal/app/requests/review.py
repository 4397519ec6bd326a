"""Review a request: say that somebody looks at it, or return it with a question."""

from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.recipients import leads, who_still_sees
from hpc_portal.app.requests.checks import messages_problem
from hpc_portal.app.requests.move import StoredRequest, load_for, move, note, tell
from hpc_portal.app.requests.transitions import Deed
from hpc_portal.app.services import Services


def start_review(services: Services, actor: Actor, request_id: UUID) -> None:
    """Tell everybody that an administrator looks at it; others may still decide.

    Raises:
        NotFound, NotAllowed: as for every request.
        RequestNotOpen: it is under review already, was decided, returned or withdrawn.
    """
    _move(services, actor, request_id, Deed.START_REVIEW, NoticeKind.REQUEST_UNDER_REVIEW, message="")


def return_request(
    services: Services, actor: Actor, request_id: UUID, *, message: str, version: int | None = None
) -> None:
    """Give it back with a question: it can then be changed, and submitted again with an answer.

    Raises:
        NotFound, NotAllowed: as for every request.
        RequestNotOpen: it was decided, returned or withdrawn, or is no longer as it was read (`version`).
        InvalidEntry: there is no question.
    """
    _move(
        services,
        actor,
        request_id,
        Deed.RETURN,
        NoticeKind.REQUEST_RETURNED,
        message=message,
        version=version,
    )


def people_to_tell(connection: Connection, request: StoredRequest) -> set[UUID]:
    """Whoever asked, unless they have left, and the leads of the project."""
    project_id = request.project_id
    return who_still_sees(connection, [request.requested_by], project_id) | leads(connection, project_id)


def _move(  # noqa: PLR0913 - what is done, by whom, and how it is told
    services: Services,
    actor: Actor,
    request_id: UUID,
    deed: Deed,
    kind: NoticeKind,
    *,
    message: str,
    version: int | None = None,
) -> None:
    now = services.clock.now()

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, deed)
        require(messages_problem(message, needed=deed is Deed.RETURN))
        move(connection, request, deed, actor, at=now, message=message, seen_version=version)
        tell(
            connection,
            request,
            kind,
            actor,
            to=people_to_tell(connection, request),
            at=now,
            message=message,
        )
        note(connection, request, deed, actor, at=now, message=message)

    transact(services.engine, work)
