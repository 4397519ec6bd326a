"""Tells people of their jobs: what they asked for at submit, and what they want to be told of all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select, update
from sqlmodel import col

from hpc_portal.app.campaigns.tables import CampaignRun
from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.tables import JobNotice
from hpc_portal.app.service_accounts.who_is_told import ToldOfService, who_is_told
from hpc_portal.app.tables import Job
from quotas.tables import Project
from schedulers.jobspec import MailOn
from schedulers.jobstate import JobState
from schedulers.units import format_walltime

TELL_SECONDS = 3.0
_BATCH = 100
_OVER = (Phase.SETTLED, Phase.REFUSED)
"""Not when it is ENDED: only then it is known what the job cost."""
_NO_FAILURE = (JobState.COMPLETED, JobState.CANCELLED)
_NEAR_END = 0.9
"""Of the time limit."""
_LOOK_AGAIN = timedelta(minutes=1)


class TellOwnersStep:
    """One pass over what is still to be told of one cluster's jobs."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context

    async def __call__(self) -> bool:
        """Whether there may be more to do at once.

        Raises:
            LeaseLost: another controller is active; nobody was told.
        """
        due = await self._context.read(self._due)
        if due:
            await self._context.write(lambda connection: tell(connection, due, at=self._context.clock.now()))
        return len(due) == _BATCH

    def _due(self, connection: Connection) -> Sequence[AnyRow]:
        looks_at_end = or_(
            col(JobNotice.near_end_at).is_(None), col(JobNotice.near_end_at) <= self._context.clock.now()
        )
        return connection.execute(
            select(
                *(col(Job.id), col(Job.user_id), col(Job.name), col(Job.phase), col(Job.state)),
                *(col(Job.state_reason), col(Job.started_at), col(Job.ended_at), col(Job.charged_vnd)),
                *(col(Job.tasks_total), col(Job.tasks_completed), col(Job.tasks_failed)),
                col(Job.spec)["mail_on"].label("mail_on"),
                col(Job.spec)["resources"]["walltime_seconds"].label("walltime_seconds"),
                col(Project.name).label("project"),
                *(col(JobNotice.at_begin), col(JobNotice.at_end), col(JobNotice.at_failure)),
                *(col(JobNotice.near_end), col(JobNotice.as_campaign)),
                col(CampaignRun.campaign_id),
            )
            .join(JobNotice, col(JobNotice.job_id) == col(Job.id))
            .join(Project, col(Project.id) == col(Job.project_id))
            .outerjoin(CampaignRun, col(CampaignRun.job_id) == col(Job.id))
            .where(
                col(Job.scheduler) == self._context.scheduler.name,
                or_(
                    col(Job.phase).in_(_OVER),
                    and_(col(JobNotice.at_begin), col(Job.started_at).is_not(None)),
                    and_(col(JobNotice.near_end), col(Job.started_at).is_not(None), looks_at_end),
                ),
            )
            .order_by(col(Job.id))
            .limit(_BATCH)
        ).all()


@dataclass(frozen=True, slots=True)
class _News:
    """One thing to tell."""

    kind: NoticeKind
    facts: dict[str, object]
    is_asked: bool
    """It was asked for with the job itself."""
    occasion: str = ""
    """What tells it from others of its kind about the same job."""


def tell(connection: Connection, jobs: Sequence[AnyRow], *, at: datetime) -> None:
    """Tell of each job what is due, and note that it was told.

    Of a service account's job whoever answers for that is told, each in the ways that they chose.
    """
    services = who_is_told(connection, {job.user_id for job in jobs})
    for job in jobs:
        service = services.get(job.user_id)
        for news in _news(job, at):
            facts = {**news.facts, "job": job.name, "job_id": str(job.id), **_whose(job, service)}
            key = ":".join(filter(None, (news.kind, str(job.id), news.occasion)))
            notify(
                connection,
                to=service.people if service else [job.user_id],
                kind=news.kind,
                facts=facts,
                at=at,
                key=key,
                is_asked=news.is_asked,
            )
        _note_told(connection, job, at)


def _whose(job: AnyRow, service: ToldOfService | None) -> dict[str, str]:
    if service is None:
        return {"project": job.project}
    return {"project": f"{job.project} ({service.username})", "user": service.username}


def _news(job: AnyRow, at: datetime) -> Iterator[_News]:
    asked = set(job.mail_on or ())
    if job.at_begin and job.started_at:
        yield _News(NoticeKind.JOB_STARTED, {"started_at": job.started_at.isoformat()}, MailOn.BEGIN in asked)
    if job.phase in _OVER:
        yield from _end(job, asked)
    elif job.near_end and (stops_at := _stops_at(job)) and _looks_at(job, stops_at) <= at:
        limit = format_walltime(job.walltime_seconds)
        facts: dict[str, object] = {"stops_at": stops_at.isoformat(), "walltime": limit}
        yield _News(NoticeKind.JOB_NEAR_END, facts, is_asked=False, occasion=stops_at.isoformat())


def _end(job: AnyRow, asked: set[str]) -> Iterator[_News]:
    has_failed = job.phase is Phase.REFUSED or job.state not in _NO_FAILURE
    is_asked = MailOn.END in asked or (has_failed and MailOn.FAIL in asked)
    facts = _facts_of_end(job)
    if job.as_campaign and job.campaign_id and job.phase is Phase.SETTLED:
        facts |= {"campaign_id": str(job.campaign_id), "failed": job.tasks_total - job.tasks_completed}
        yield _News(NoticeKind.CAMPAIGN_FINISHED, facts, is_asked)
    elif job.at_end or (job.at_failure and has_failed):
        kind = NoticeKind.JOB_FAILED if has_failed else NoticeKind.JOB_ENDED
        yield _News(kind, facts, is_asked)


def _facts_of_end(job: AnyRow) -> dict[str, Any]:
    ran = (job.ended_at - job.started_at).total_seconds() if job.started_at and job.ended_at else 0
    return {
        "state": "REFUSED" if job.phase is Phase.REFUSED else str(job.state),
        "reason": f"{job.state_reason}." if job.state_reason else "",
        "took": format_walltime(int(ran)),
        "completed": job.tasks_completed,
        "tasks": job.tasks_total,
        "cost_vnd": job.charged_vnd,
    }


def _stops_at(job: AnyRow) -> datetime | None:
    """When its time limit is over, as it stands now; None: it has not started, or has none."""
    if not job.started_at or not job.walltime_seconds:
        return None
    stops_at: datetime = job.started_at + timedelta(seconds=job.walltime_seconds)
    return stops_at


def _looks_at(job: AnyRow, stops_at: datetime) -> datetime:
    return stops_at - timedelta(seconds=(1 - _NEAR_END) * job.walltime_seconds)


def _note_told(connection: Connection, job: AnyRow, at: datetime) -> None:
    stops_at = _stops_at(job) if job.near_end else None
    near_end_at = _looks_at(job, stops_at) if stops_at else None
    if stops_at and near_end_at and near_end_at <= at:  # told; by then it is seen whether it was extended
        near_end_at = max(stops_at, at + _LOOK_AGAIN)
    has_more = job.at_end or job.at_failure or job.as_campaign or near_end_at
    is_it = col(JobNotice.job_id) == job.id
    if job.phase in _OVER or not has_more:
        connection.execute(delete(JobNotice).where(is_it))
        return
    connection.execute(
        update(JobNotice)
        .where(is_it)
        .values(at_begin=False, near_end=near_end_at is not None, near_end_at=near_end_at)
    )
