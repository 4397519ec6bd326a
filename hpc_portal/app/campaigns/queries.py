"""Reads of campaigns and their runs; nobody sees those of projects that their roles do not show."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.kinds import CampaignKind
from hpc_portal.app.campaigns.tables import Campaign, CampaignRun, CampaignTest, RunKind, StoppedBy
from hpc_portal.app.db import AnyRow
from hpc_portal.app.errors import CampaignNotFound
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.queries import OVER, Page
from hpc_portal.app.tables import Job, User
from quotas.tables import Project
from schedulers.jobstate import JobState


@dataclass(frozen=True, slots=True)
class CampaignFilter:
    """What a list is narrowed to; empty fields narrow nothing."""

    project: str = ""
    """Account name."""
    user: str = ""
    """User name of who submitted its first run."""
    states: Sequence[JobState] = ()
    """Of its first run."""
    name: str = ""
    """The whole name."""
    part_of_name: str = ""
    """In any case."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One job of a campaign and how its tasks did."""

    job_id: UUID
    number: int
    kind: RunKind
    with_waves: bool
    state: JobState
    state_reason: str
    phase: Phase
    submitted_at: datetime
    ended_at: datetime | None
    tasks_total: int
    tasks_running: int
    tasks_cancelled: int
    charged_vnd: int
    passed: int
    failed: int
    no_verdict: int
    wall_ms: int
    """Of all its tasks together."""
    is_read: bool
    metrics: dict[str, Any]
    """Of the run as a whole, such as merged coverage: (value, unit) by name."""
    stopped_by: StoppedBy | None
    stopped_at: datetime | None

    @property
    def has_result(self) -> int:
        """Tasks with a result."""
        return self.passed + self.failed + self.no_verdict

    @property
    def not_passed(self) -> int:
        """What a rerun would run again."""
        return self.failed + self.no_verdict

    @property
    def never_ran(self) -> int:
        """Tasks that ended without being run, or were taken back; 0 while it goes on."""
        return self.tasks_total - self.has_result if self.is_over and self.is_read else 0

    @property
    def pass_rate(self) -> float | None:
        """Of tasks with a result, 0 to 1; None before the first."""
        return self.passed / self.has_result if self.has_result else None

    @property
    def is_over(self) -> bool:
        """Nothing of it runs or will run."""
        return self.phase in OVER


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with its runs in order; the first one is the campaign as it was asked for."""

    id: UUID
    name: str
    template: str
    project: str
    """Account name."""
    project_id: UUID
    organisation_id: UUID
    user: str
    user_id: UUID
    created_at: datetime
    stop_failures: int | None
    stop_cost_vnd: int | None
    runs: tuple[RunView, ...]

    @property
    def kind(self) -> CampaignKind:
        """Only those with a matrix and reruns are stored as campaigns."""
        return CampaignKind.REGRESSION

    @property
    def first(self) -> RunView:
        """The run that opened it."""
        return self.runs[0]

    @property
    def state(self) -> JobState:
        """Of its first run."""
        return self.first.state

    @property
    def tasks_total(self) -> int:
        """Of its first run."""
        return self.first.tasks_total

    @property
    def is_over(self) -> bool:
        """No run of it goes on."""
        return all(run.is_over for run in self.runs)

    @property
    def charged_vnd(self) -> int:
        """What all runs cost so far."""
        return sum(run.charged_vnd for run in self.runs)

    def run(self, number: int | None) -> RunView:
        """The run of that number; without one, the first.

        Raises:
            CampaignNotFound: it has no such run.
        """
        for one in self.runs:
            if one.number == (number or 0):
                return one
        raise CampaignNotFound(f"{self.id}/{number}")


def list_campaigns(
    session: Session,
    actor: Actor,
    wanted: CampaignFilter,
    *,
    cursor: UUID | None = None,
    limit: int = 50,
) -> Page[CampaignView]:
    """Campaigns with runs of their own that the actor may see, newest first."""
    ids = newest_campaigns(session, actor, wanted, cursor=cursor, limit=limit + 1)
    items = campaigns_of(session, actor, ids[:limit])
    return Page(tuple(items), str(items[-1].id) if len(ids) > limit else None)


def newest_campaigns(
    session: Session, actor: Actor, wanted: CampaignFilter, *, cursor: UUID | None = None, limit: int = 50
) -> Sequence[UUID]:
    """Ids of what `list_campaigns` tells."""
    conditions = _conditions(session, actor, wanted)
    if cursor is not None:
        conditions.append(col(Campaign.id) < cursor)
    found = select(col(Campaign.id)).where(*conditions)
    if wanted.states:
        its_first = col(Job.id) == col(Campaign.id)
        found = found.join(Job, its_first).where(col(Job.state).in_(wanted.states))
    return session.connection().execute(found.order_by(col(Campaign.id).desc()).limit(limit)).scalars().all()


def campaigns_of(session: Session, actor: Actor, campaign_ids: Collection[UUID]) -> list[CampaignView]:
    """Those of them that the actor may see, newest first."""
    if not campaign_ids:
        return []
    shown = _campaigns(actor).where(col(Campaign.id).in_(campaign_ids)).order_by(col(Campaign.id).desc())
    return _views(session, session.connection().execute(shown).all())


def _conditions(session: Session, actor: Actor, wanted: CampaignFilter) -> list[ColumnElement[bool]]:
    """Of `campaign` alone: names of projects and people become ids first, so that an index serves them."""
    found: list[ColumnElement[bool]] = []
    if wanted.project or not permissions.sees_all(actor):
        projects = select(col(Project.id)).where(permissions.visible_projects(actor))
        if wanted.project:
            projects = projects.where(col(Project.account) == wanted.project)
        found.append(col(Campaign.project_id).in_(session.connection().execute(projects).scalars().all()))
    if wanted.user:
        user = select(col(User.id)).where(col(User.username) == wanted.user)
        found.append(col(Campaign.user_id).in_(session.connection().execute(user).scalars().all()))
    if wanted.name:
        found.append(col(Campaign.name) == wanted.name)
    if wanted.part_of_name:
        name = func.lower(col(Campaign.name))
        found.append(name.contains(wanted.part_of_name.lower(), autoescape=True))
    return found


def get_campaign(session: Session, actor: Actor, campaign_id: UUID) -> CampaignView:
    """One campaign.

    Raises:
        CampaignNotFound: there is none, or the actor may not see it.
    """
    row = session.connection().execute(_campaigns(actor).where(col(Campaign.id) == campaign_id)).first()
    if row is None:
        raise CampaignNotFound(campaign_id)
    return _views(session, [row])[0]


def campaign_of_job(session: Session, job_id: UUID) -> AnyRow | None:
    """(campaign_id, number) of the run that a job is; None when it belongs to no campaign.

    That the reader may see the job is the caller's to know.
    """
    found = select(col(CampaignRun.campaign_id), col(CampaignRun.number)).where(
        col(CampaignRun.job_id) == job_id
    )
    return session.connection().execute(found).first()


def _campaigns(actor: Actor) -> Select[*tuple[Any, ...]]:
    columns: Select[*tuple[Any, ...]] = (
        select(
            col(Campaign.id),
            col(Campaign.name),
            col(Campaign.template),
            col(Project.account).label("project"),
            col(Campaign.project_id),
            col(Project.organisation_id),
            col(User.username).label("user"),
            col(Campaign.user_id),
            col(Campaign.created_at),
            col(Campaign.stop_failures),
            col(Campaign.stop_cost_vnd),
        )
        .join(Project, col(Project.id) == col(Campaign.project_id))
        .join(User, col(User.id) == col(Campaign.user_id))
        .where(permissions.visible_projects(actor))
    )
    return columns


def _views(session: Session, rows: Sequence[AnyRow]) -> list[CampaignView]:
    runs = _runs(session, [row.id for row in rows])
    return [CampaignView(**row._mapping, runs=tuple(runs[row.id])) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def _runs(session: Session, campaign_ids: Sequence[UUID]) -> Mapping[UUID, list[RunView]]:
    sums = (
        select(
            col(CampaignTest.job_id),
            *(
                func.sum(getattr(CampaignTest, name)).label(name)
                for name in ("passed", "failed", "no_verdict", "wall_ms")
            ),
        )
        .join(CampaignRun, col(CampaignRun.job_id) == col(CampaignTest.job_id))
        .where(col(CampaignRun.campaign_id).in_(campaign_ids))
        .group_by(col(CampaignTest.job_id))
        .subquery()
    )
    rows = session.connection().execute(
        select(
            col(CampaignRun.campaign_id),
            col(CampaignRun.job_id),
            col(CampaignRun.number),
            col(CampaignRun.kind),
            col(CampaignRun.with_waves),
            col(Job.state),
            col(Job.state_reason),
            col(Job.phase),
            col(Job.submitted_at),
            col(Job.ended_at),
            col(Job.tasks_total),
            col(Job.tasks_running),
            col(Job.tasks_cancelled),
            col(Job.charged_vnd),
            *(
                func.coalesce(sums.c[name], 0).label(name)
                for name in ("passed", "failed", "no_verdict", "wall_ms")
            ),
            col(CampaignRun.is_read),
            col(CampaignRun.metrics),
            col(CampaignRun.stopped_by),
            col(CampaignRun.stopped_at),
        )
        .join(Job, col(Job.id) == col(CampaignRun.job_id))
        .outerjoin(sums, sums.c.job_id == col(CampaignRun.job_id))
        .where(col(CampaignRun.campaign_id).in_(campaign_ids))
        .order_by(col(CampaignRun.campaign_id), col(CampaignRun.number))
    )
    found: dict[UUID, list[RunView]] = defaultdict(list)
    for row in rows:
        facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        of = facts.pop("campaign_id")
        facts |= {name: int(facts[name]) for name in ("passed", "failed", "no_verdict", "wall_ms")}
        found[of].append(RunView(**facts))
    return found
