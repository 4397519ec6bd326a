"""A start in one read: jobs under way, what failed meanwhile, budgets, announcements, what is free."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from hpc_portal.app.accounts.queries import list_own_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.read import ShownAnnouncement, list_in_force
from hpc_portal.app.clusters import Trouble, count_gpus, list_troubles
from hpc_portal.app.home.burn_down import BurnDown, burn_down
from hpc_portal.app.home.overview import FirstSteps, failed_since, first_steps
from hpc_portal.app.jobs.count_jobs import JobNumbers, count_jobs
from hpc_portal.app.jobs.queries import JobFilter, JobSummary, list_jobs
from hpc_portal.app.licenses.queries import license_use
from hpc_portal.app.licenses.waiting import free_of
from hpc_portal.app.notices.read import count_unread
from hpc_portal.app.services import Services
from quotas.balance import AssetBalance, balance
from quotas.money import VND
from schedulers.cluster import NodeState

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
class FreeAmount:
    """How much of something the clusters, or the licence servers, have free now."""

    name: str
    """`cpu`, `gpu:h100`, `license/vcs`."""
    free: int
    total: int


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
    now, connection = services.clock.now(), session.connection()
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
        free=[*_free_on_clusters(services), *_free_licenses(session, actor)],
        first_steps=first_steps(session, actor, has_budget=has_budget),
    )


def _free_on_clusters(services: Services) -> list[FreeAmount]:
    nodes = [node for view in services.clusters.get() for node in view.nodes]
    free = sum(node.cpus - node.allocated_cpus for node in nodes if node.state is NodeState.UP)
    cpus = FreeAmount("cpu", free, sum(node.cpus for node in nodes if node.state is not NodeState.DOWN))
    return [cpus, *(FreeAmount(f"gpu:{one.type}", one.free, one.total) for one in count_gpus(nodes))]


def _free_licenses(session: Session, actor: Actor) -> list[FreeAmount]:
    used = license_use(session.connection(), actor)
    return [FreeAmount(f"license/{one.name}", free_of(one), one.total) for one in used]
