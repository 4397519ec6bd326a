"""Decide on a refund case: all that was asked, a part, or nothing; each with a reason, each once."""

from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.raise_refund_case import close_case, find_case
from hpc_portal.app.budgets.tables import RefundCaseState
from hpc_portal.app.db import transact
from hpc_portal.app.errors import Problem, RefundCaseRefused
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import who_still_sees
from hpc_portal.app.permissions import Action
from hpc_portal.app.reason import reason_problem
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job
from quotas.refund import Refunded, refund

_NOTICES = {
    RefundCaseState.APPROVED: NoticeKind.REFUND_APPROVED,
    RefundCaseState.PARTLY_APPROVED: NoticeKind.REFUND_PARTLY_APPROVED,
    RefundCaseState.DENIED: NoticeKind.REFUND_DENIED,
}


def decide_refund_case(
    services: Services, actor: Actor, case_id: UUID, *, percent: int, reason: str
) -> Refunded:
    """Refund this share of the charge, 0 to deny; the same decision again refunds nothing more.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is no such case.
        InvalidEntry: no reason is given, or more than was asked.
        RefundCaseRefused: somebody else decided otherwise, or it was withdrawn.
        RefundRefused: nothing is left to be refunded.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()

    def work(connection: Connection) -> Refunded:
        case = find_case(connection, case_id)
        require([reason_problem(reason), _share_problem(percent, asked=case.asked_percent)])
        state = _state_of(percent, asked=case.asked_percent)
        if not close_case(
            connection, case_id, state, actor, at=now, decision=reason.strip(), percent=percent
        ):
            now_is = find_case(connection, case_id)
            if (now_is.state, now_is.granted_percent) == (state, percent):
                return Refunded({}, is_new=False)
            if now_is.state is RefundCaseState.WITHDRAWN:
                raise RefundCaseRefused(case.job_id, "The case was withdrawn already.")
            raise RefundCaseRefused(case.job_id, "The case was decided already.")
        given = Refunded({}, is_new=True)
        if percent:
            given = refund(
                connection,
                job_id=case.job_id,
                percent=percent,
                actor_id=actor.user_id,
                reason=reason.strip(),
                key=f"case:{case_id}",
                at=now,
            )
        job = connection.execute(
            select(col(Job.name), col(Job.user_id), col(Job.project_id)).where(col(Job.id) == case.job_id)
        ).one()
        notify(
            connection,
            to=who_still_sees(connection, {case.raised_by, job.user_id}, job.project_id),
            kind=_NOTICES[state],
            facts={
                "job": job.name,
                "job_id": str(case.job_id),
                "percent": percent,
                "lines": given.by_asset,
                "reason": reason.strip(),
            },
            at=now,
            key=f"refund-case:{case_id}:{state}",
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action=f"refund_case.{state}",
            subject=str(case.job_id),
            case_id=str(case_id),
            percent=percent,
            lines=given.by_asset,
            reason=reason.strip(),
            was={"state": RefundCaseState.OPEN, "asked_percent": case.asked_percent},
        )
        return given

    return transact(services.engine, work)


def _state_of(percent: int, *, asked: int) -> RefundCaseState:
    if not percent:
        return RefundCaseState.DENIED
    return RefundCaseState.APPROVED if percent == asked else RefundCaseState.PARTLY_APPROVED


def _share_problem(percent: int, *, asked: int) -> Problem | None:
    if type(percent) is int and 0 <= percent <= asked:
        return None
    return Problem(
        "percent", "Give a whole number from 0 to the %(asked)s that were asked.", {"asked": asked}
    )
