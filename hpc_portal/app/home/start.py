"""A start in one read: jobs under way, what failed meanwhile, budgets, announcements, what is free."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from hpc_portal.app.accounts.queries import list_own_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.read import ShownAnnouncement, list_in_force
from hpc_portal.app.cluster_amounts import FreeAmount
from hpc_portal.app.clusters import Trouble, list_troubles
from hpc_portal.app.home.burn_down import BurnDown, burn_down
from hpc_portal.app.home.overview import FirstSteps, failed_since, first_steps
from hpc_portal.app.jobs.count_jobs import JobNumbers, count_jobs
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.queries import JobSummary, list_jobs
from hpc_portal.app.notices.read import count_unread
from hpc_portal.app.services import Services
from quotas.balance import AssetBalance, balance
from quotas.money import VND

_JOBS_SHOWN = 8
_PROJECTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ProjectStanding:
    """The đồng of one of the actor's projects, and how long they last."""

    account: str
    name: str
    amounts: AssetBalance | None
    """None: its budget is not in đồng."""
    burn_down: BurnDown | None


@dataclass(frozen=True, slots=True)
class Start:
    """All of it."""

    numbers: JobNumbers
    jobs: Sequence[JobSummary]
    """The newest."""
    failed: Sequence[JobSummary]
    """Since the instant that was asked for."""
    projects: Sequence[ProjectStanding]
    announcements: Sequence[ShownAnnouncement]
    unread_notices: int
    troubles: Sequence[Trouble]
    free: Sequence[FreeAmount]
    first_steps: FirstSteps


def start(services: Services, session: Session, actor: Actor, *, since: datetime | None = None) -> Start:
    """What the start page tells; it records no visit.

    Args:
        services: what is known of the clusters.
        session: to read with.
        actor: whose start.
        since: failed jobs are those that ended after it; None: none are told.
    """
    now, connection, figures = services.clock.now(), session.connection(), services.figures.get()
    standings = []
    for record in list_own_projects(session, actor)[:_PROJECTS_SHOWN]:
        amounts = balance(connection, record.id, now).by_asset.get(VND)
        spent = burn_down(connection, record.id, at=now) if amounts else None
        standings.append(ProjectStanding(record.account, record.name, amounts, spent))
    has_budget = any(one.amounts and one.amounts.available > 0 for one in standings)
    return Start(
        numbers=count_jobs(session, actor),
        jobs=list_jobs(session, actor, JobFilter(), limit=_JOBS_SHOWN).items,
        failed=failed_since(session, actor, since, at=now) if since else (),
        projects=standings,
        announcements=list_in_force(session, actor, at=now, with_dismissed=True),
        unread_notices=count_unread(session, actor),
        troubles=list_troubles(services),
        free=[*figures.free, *figures.licenses],
        first_steps=first_steps(session, actor, has_budget=has_budget),
    )
