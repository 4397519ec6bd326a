"""What waits for those who run the city: requests, refunds, and what does not add up in the books."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.permissions import Action
from hpc_portal.app.requests.queries import UNDECIDED
from hpc_portal.app.requests.tables import QuotaRequest
from quotas.usage_tables import DiscrepancyRow, DiscrepancyState


@dataclass(frozen=True, slots=True)
class CityDuties:
    """How much of what waits."""

    requests: int
    oldest_request_at: datetime | None
    """When the one that waits longest was submitted; None when none waits."""
    refunds: int
    discrepancies: int


def city_duties(session: Session, actor: Actor) -> CityDuties:
    """Of the whole city, for administrators and auditors.

    Raises:
        NotAllowed: the actor is neither.
    """
    permissions.require(actor, Action.AUDIT)
    refunds = (
        select(func.count())
        .select_from(RefundCase)
        .where(col(RefundCase.state) == RefundCaseState.OPEN)
        .scalar_subquery()
    )
    discrepancies = (
        select(func.count())
        .select_from(DiscrepancyRow)
        .where(col(DiscrepancyRow.state) == DiscrepancyState.OPEN)
        .scalar_subquery()
    )
    statement = select(func.count(), func.min(col(QuotaRequest.submitted_at)), refunds, discrepancies).where(
        col(QuotaRequest.state).in_(UNDECIDED)
    )
    requests, oldest, refunds_open, discrepancies_open = session.connection().execute(statement).one()
    return CityDuties(requests, oldest, refunds_open, discrepancies_open)
