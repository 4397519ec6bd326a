"""What people asked to get back, what was decided, and what jobs got back: reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.errors import NotFound
from hpc_portal.app.jobs.queries import require_visible
from hpc_portal.app.tables import Job, User
from quotas.money import VND
from quotas.refunded import charged, refunded
from quotas.tables import AccountingRecord, Project

_ASKER, _DECIDER = aliased(User), aliased(User)


@dataclass(frozen=True, slots=True)
class ListedCase:
    """One case, as lists show it."""

    id: UUID
    job_id: UUID
    job: str
    project: str
    raised_by: str
    """A username."""
    raised_at: datetime
    reason: str
    asked_percent: int
    charged_vnd: int
    """The job's charge, whatever was refunded since."""
    state: RefundCaseState
    decided_by: str | None
    decided_at: datetime | None
    decision: str
    granted_percent: int | None


@dataclass(frozen=True, slots=True)
class JobRefunds:
    """What a job was charged, by asset, and what it need not pay."""

    charged: Mapping[str, int]
    refunded: Mapping[str, int]
    waived: Mapping[str, int]
    """Used by runs whose end is not charged, such as NODE_FAIL: TRES-seconds."""
    waived_runs: int
    cases: Sequence[ListedCase]

    @property
    def can_ask(self) -> bool:
        """Whether something is left, and no case is open."""
        left = any(amount > self.refunded.get(asset, 0) for asset, amount in self.charged.items())
        return left and all(case.state is not RefundCaseState.OPEN for case in self.cases)


def list_cases(
    session: Session, actor: Actor, *, state: RefundCaseState | None = RefundCaseState.OPEN, limit: int = 100
) -> list[ListedCase]:
    """Cases of jobs that the actor may see: open ones oldest first, others by the newest decision."""
    statement = _SELECT.where(permissions.visible_jobs(actor)).limit(limit)
    if state is not None:
        statement = statement.where(col(RefundCase.state) == state)
    by_age = col(RefundCase.raised_at) if state is RefundCaseState.OPEN else col(RefundCase.raised_at).desc()
    return _listed(session, statement.order_by(by_age))


def get_case(session: Session, actor: Actor, case_id: UUID) -> ListedCase:
    """One of them.

    Raises:
        NotFound: there is none, or none that the actor may see.
    """
    found = _listed(session, _SELECT.where(permissions.visible_jobs(actor), col(RefundCase.id) == case_id))
    if not found:
        raise NotFound("refund case", case_id)
    return found[0]


def job_refunds(session: Session, actor: Actor, job_id: UUID) -> JobRefunds:
    """What came back to a job, and what was asked for it.

    Raises:
        JobNotFound: there is none, or the actor may not see it.
    """
    require_visible(session, actor, job_id)
    connection = session.connection()
    waived: dict[str, int] = {}
    runs: set[str] = set()
    newest = (
        select(
            col(AccountingRecord.run_key),
            col(AccountingRecord.is_charged),
            col(AccountingRecord.tres_seconds),
        )
        .where(col(AccountingRecord.job_id) == job_id, col(AccountingRecord.elapsed_seconds) > 0)
        .order_by(col(AccountingRecord.revision))
    )
    by_run = {row.run_key: row for row in connection.execute(newest)}
    for row in by_run.values():
        if not row.is_charged:
            runs.add(row.run_key)
            for asset, amount in row.tres_seconds.items():
                waived[asset] = waived.get(asset, 0) + amount
    cases = _listed(
        session, _SELECT.where(col(RefundCase.job_id) == job_id).order_by(col(RefundCase.raised_at))
    )
    return JobRefunds(
        _by_asset(charged(connection, job_id)),
        _by_asset(refunded(connection, job_id)),
        waived,
        len(runs),
        cases,
    )


def _by_asset(amounts: Mapping[tuple[UUID, str], int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for (_, asset), amount in amounts.items():
        total[asset] = total.get(asset, 0) + amount
    return {
        asset: amount for asset, amount in sorted(total.items(), key=lambda item: item[0] != VND) if amount
    }


def _listed(session: Session, statement: Select[*tuple[Any, ...]]) -> list[ListedCase]:
    return [ListedCase(**row) for row in session.connection().execute(statement).mappings()]


_SELECT: Select[*tuple[Any, ...]] = (
    select(
        col(RefundCase.id),
        col(RefundCase.job_id),
        col(Job.name).label("job"),
        col(Project.account).label("project"),
        col(_ASKER.username).label("raised_by"),
        col(RefundCase.raised_at),
        col(RefundCase.reason),
        col(RefundCase.asked_percent),
        col(Job.charged_vnd),
        col(RefundCase.state),
        col(_DECIDER.username).label("decided_by"),
        col(RefundCase.decided_at),
        col(RefundCase.decision),
        col(RefundCase.granted_percent),
    )
    .join(Job, col(Job.id) == col(RefundCase.job_id))
    .join(Project, col(Project.id) == col(Job.project_id))
    .join(_ASKER, col(_ASKER.id) == col(RefundCase.raised_by))
    .join(_DECIDER, col(_DECIDER.id) == col(RefundCase.decided_by), isouter=True)
)
