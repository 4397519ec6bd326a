"""Campaigns of every kind in one list: regressions with their reruns, sweeps, corners; newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.kinds import KIND_OF, TEMPLATES, CampaignKind
from hpc_portal.app.campaigns.queries import (
    CampaignFilter,
    CampaignView,
    RunView,
    campaigns_of,
    newest_campaigns,
)
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.queries import JobSummary, Page, jobs_of, newest_jobs
from schedulers.jobstate import JobState


@dataclass(frozen=True, slots=True)
class PointsView:
    """A sweep or corners: one job; what its points achieved is read by the page of that job."""

    job: JobSummary

    @property
    def kind(self) -> CampaignKind:
        """By its template."""
        return KIND_OF[self.template]

    @property
    def id(self) -> UUID:
        """The job's."""
        return self.job.id

    @property
    def name(self) -> str:
        """The job's."""
        return self.job.name

    @property
    def template(self) -> str:
        """It has one, or it would be no campaign."""
        return self.job.template or ""

    @property
    def project(self) -> str:
        """Account name."""
        return self.job.project

    @property
    def user(self) -> str:
        """User name of who submitted it."""
        return self.job.user

    @property
    def created_at(self) -> datetime:
        """When it was submitted."""
        return self.job.submitted_at

    @property
    def state(self) -> JobState:
        """The job's."""
        return self.job.state

    @property
    def tasks_total(self) -> int:
        """One for each trial; for each corner, or part of its samples."""
        return self.job.tasks_total

    @property
    def charged_vnd(self) -> int:
        """What it cost so far."""
        return self.job.charged_vnd

    @property
    def runs(self) -> tuple[RunView, ...]:
        """None: it is never rerun as a whole."""
        return ()

    @property
    def stop_failures(self) -> None:
        """It has no rule."""

    @property
    def stop_cost_vnd(self) -> None:
        """It has no rule."""


def list_all_campaigns(  # noqa: PLR0913 - a filter and a page
    session: Session,
    actor: Actor,
    wanted: CampaignFilter,
    *,
    kind: CampaignKind | None = None,
    cursor: UUID | None = None,
    limit: int = 50,
) -> Page[CampaignView | PointsView]:
    """What the actor may see; `cursor` is the id of the last one of the page before.

    A campaign has the id of its first job, so that ids put all kinds in the order of their submission.
    """
    runs: Sequence[UUID] = ()
    points: Sequence[UUID] = ()
    if kind in {None, CampaignKind.REGRESSION}:
        runs = newest_campaigns(session, actor, wanted, cursor=cursor, limit=limit + 1)
    if templates := [name for of, names in TEMPLATES.items() if kind in {None, of} for name in names]:
        points = newest_jobs(session, actor, _as_jobs(wanted, templates), cursor=cursor, limit=limit + 1)
    shown = set(sorted([*runs, *points], reverse=True)[:limit])
    items: list[CampaignView | PointsView] = [
        *campaigns_of(session, actor, shown.intersection(runs)),
        *(PointsView(job) for job in jobs_of(session, shown.intersection(points))),
    ]
    items.sort(key=attrgetter("id"), reverse=True)
    has_more = len(runs) + len(points) > limit
    return Page(tuple(items), str(items[-1].id) if has_more else None)


def _as_jobs(wanted: CampaignFilter, templates: list[str]) -> JobFilter:
    return JobFilter(
        states=wanted.states,
        project=wanted.project,
        user=wanted.user,
        name=wanted.part_of_name,
        whole_name=wanted.name,
        templates=templates,
    )
