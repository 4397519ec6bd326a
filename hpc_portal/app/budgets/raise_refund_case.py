"""Ask to get back what an ended job was charged, and take that back; administrators decide."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.db import transact
from hpc_portal.app.errors import JobNotFound, NotFound, Problem, RefundCaseRefused
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import administrators
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job
from quotas.refunded import charged, refunded
from quotas.tables import Project, table_of

_ALL = 100
_CASES = table_of(RefundCase)
_INSERT_IF_NONE_OPEN = {
    "postgresql": postgresql.insert(_CASES).on_conflict_do_nothing().returning(_CASES.c.id),
    "sqlite": sqlite.insert(_CASES).on_conflict_do_nothing().returning(_CASES.c.id),
}


def raise_refund_case(services: Services, actor: Actor, job_id: UUID, *, percent: int, reason: str) -> UUID:
    """Ask for a share of what a job was charged; returns the case's id. One case of a job is open at a time.

    Raises:
        JobNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but it is another person's.
        InvalidEntry: no reason, or a share outside 1 to 100 percent.
        RefundCaseRefused: it is not settled yet, was charged nothing, got all back, or has an open case.
    """
    now = services.clock.now()

    def work(connection: Connection) -> UUID:
        job = _job_of(connection, actor, job_id)
        require([reason_problem(reason), _percent_problem(percent, least=1)])
        _require_refundable(connection, job)
        case_id = new_id()
        row = {
            "id": case_id,
            "job_id": job_id,
            "raised_by": actor.user_id,
            "raised_at": now,
            "reason": reason.strip(),
            "asked_percent": percent,
            "state": RefundCaseState.OPEN,
            "decision": "",
        }
        if connection.execute(_INSERT_IF_NONE_OPEN[connection.dialect.name], row).first() is None:
            raise RefundCaseRefused(job_id, "It has an open case already. Withdraw that one first.")
        notify(
            connection,
            to=administrators(connection),
            kind=NoticeKind.REFUND_RAISED,
            facts={
                "by": actor.display_name,
                "job": job.name,
                "project": job.account,
                "percent": percent,
                "reason": reason.strip(),
            },
            at=now,
            key=f"refund-case:{case_id}",
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="refund_case.raised",
            subject=str(job_id),
            case_id=str(case_id),
            percent=percent,
            reason=reason.strip(),
        )
        return case_id

    return transact(services.engine, work)


def withdraw_refund_case(services: Services, actor: Actor, case_id: UUID) -> bool:
    """Take a case back that nobody has decided; False when it was taken back before.

    Raises:
        NotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but it concerns another person's job.
        RefundCaseRefused: it was decided.
    """
    now = services.clock.now()

    def work(connection: Connection) -> bool:
        case = find_case(connection, case_id)
        _job_of(connection, actor, case.job_id, hidden_as=NotFound("refund case", case_id))
        if not close_case(connection, case_id, RefundCaseState.WITHDRAWN, actor, at=now):
            if find_case(connection, case_id).state == RefundCaseState.WITHDRAWN:
                return False
            raise RefundCaseRefused(case.job_id, "The case was decided already.")
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="refund_case.withdrawn",
            subject=str(case.job_id),
            case_id=str(case_id),
            was={"state": RefundCaseState.OPEN},
        )
        return True

    return transact(services.engine, work)


def find_case(connection: Connection, case_id: UUID) -> Any:  # noqa: ANN401 - a row
    """A case by its id.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(_CASES).where(_CASES.c.id == case_id)).first()
    if row is None:
        raise NotFound("refund case", case_id)
    return row


def close_case(  # noqa: PLR0913 - the facts of a decision
    connection: Connection,
    case_id: UUID,
    state: RefundCaseState,
    actor: Actor,
    *,
    at: datetime,
    decision: str = "",
    percent: int | None = None,
) -> bool:
    """Whether this call is the one that closed it: of two at the same instant, one is."""
    return (
        connection.execute(
            update(_CASES)
            .where(_CASES.c.id == case_id, _CASES.c.state == RefundCaseState.OPEN)
            .values(
                state=state,
                decided_by=actor.user_id if actor.user_id.int else None,
                decided_at=at,
                decision=decision,
                granted_percent=percent,
            )
        ).rowcount
        == 1
    )


def _percent_problem(percent: int, *, least: int) -> Problem | None:
    if type(percent) is int and least <= percent <= _ALL:
        return None
    return Problem("percent", "Give a whole number from %(least)s to 100.", {"least": least})


def _job_of(connection: Connection, actor: Actor, job_id: UUID, hidden_as: NotFound | None = None) -> Any:  # noqa: ANN401 - a row
    hidden = hidden_as or JobNotFound(job_id)
    job = connection.execute(
        select(
            col(Job.id),
            col(Job.name),
            col(Job.phase),
            col(Job.user_id),
            col(Job.project_id),
            col(Job.organisation_id),
            col(Project.account),
        )
        .join(Project, col(Project.id) == col(Job.project_id))
        .where(col(Job.id) == job_id)
    ).first()
    if job is None:
        raise hidden
    permissions.require(
        actor,
        Action.CHANGE_OWN if actor.looks_after(job.user_id) else Action.CHANGE_ANY,
        organisation_id=job.organisation_id,
        project_id=job.project_id,
        hidden_as=hidden,
    )
    return job


def _require_refundable(connection: Connection, job: Any) -> None:  # noqa: ANN401 - a row
    if job.phase != Phase.SETTLED:
        raise RefundCaseRefused(job.id, "It is not settled yet. Wait until it has ended and was charged.")
    before = refunded(connection, job.id)
    cost = charged(connection, job.id)
    if not any(amount > before.get(line, 0) for line, amount in cost.items()):
        raise RefundCaseRefused(
            job.id, "Nothing is left to be refunded: it was charged nothing or got all back."
        )
