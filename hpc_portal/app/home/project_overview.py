"""One look at a project: what it has left, how long that lasts, who uses it, and what is under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlmodel import Session, col

from hpc_portal.app.accounts.queries import ProjectRecord, get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.home.burn_down import BurnDown, burn_down
from hpc_portal.app.jobs.count_jobs import JobNumbers, count_jobs
from hpc_portal.app.reports.period import Period, local_day, months_before
from hpc_portal.app.reports.usage import UsageQuery, report_usage
from hpc_portal.app.requests.queries import UNDECIDED, visible_requests
from hpc_portal.app.requests.tables import QuotaRequest
from quotas.balance import Balance, balance
from quotas.usage_report import Dimension, Usage

_MOST_PEOPLE = 6


@dataclass(frozen=True, slots=True)
class PersonsUse:
    """What one person used this month."""

    user: str
    """User name; "" for all others together, or for somebody who is not there any more."""
    is_rest: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class ProjectOverview:
    """All of it."""

    project: ProjectRecord
    balance: Balance
    burn_down: BurnDown | None
    """None for a project whose budget is not in đồng."""
    month: date
    """The first of this month."""
    people: Sequence[PersonsUse]
    """Of this month, who was charged most in front; the last one may be all others together."""
    used: Usage
    """Of this month, by everybody."""
    jobs: JobNumbers
    requests_waiting: int
    """For a decision."""


def project_overview(session: Session, actor: Actor, account: str, *, at: datetime) -> ProjectOverview:
    """For everybody who may see the project.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    connection = session.connection()
    today = local_day(at)
    month = Period(months_before(today, 0), months_before(today, -1) - timedelta(days=1))
    query = UsageQuery((Dimension.USER,), month, {Dimension.PROJECT: account})
    report = report_usage(connection, actor, query, most=_MOST_PEOPLE)
    people = [PersonsUse(str(row.of[Dimension.USER]), is_rest=False, usage=row.usage) for row in report.rows]
    if report.rest is not None:
        people.append(PersonsUse("", is_rest=True, usage=report.rest))
    waiting = select(func.count()).where(
        col(QuotaRequest.project_id) == project.id,
        col(QuotaRequest.state).in_(UNDECIDED),
        visible_requests(actor),
    )
    return ProjectOverview(
        project=project,
        balance=balance(connection, project.id, at),
        burn_down=burn_down(connection, project.id, at=at),
        month=month.since,
        people=people,
        used=report.total,
        jobs=count_jobs(session, actor, project_id=project.id),
        requests_waiting=int(connection.execute(waiting).scalar_one()),
    )
