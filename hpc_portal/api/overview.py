"""The start: jobs under way, what failed meanwhile, budgets, announcements, what is free."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from hpc_portal.api.announcements import AnnouncementReply
from hpc_portal.api.balance_schemas import AssetBalanceReply
from hpc_portal.api.job_schemas import JobReply
from hpc_portal.api.project_schemas import BurnDownReply
from hpc_portal.api.schemas import Reply
from hpc_portal.app.clusters import TroubleKind
from hpc_portal.app.home.start import ProjectStanding, Start, start
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.instant import Instant

router = APIRouter(tags=["overview"])


class ProjectStandingReply(Reply):
    """The đồng of one of your projects, and how long they last."""

    account: str
    name: str
    vnd: AssetBalanceReply | None
    """null: its budget is not in đồng."""
    burn_down: BurnDownReply | None

    @classmethod
    def of(cls, one: ProjectStanding) -> "ProjectStandingReply":
        """The project with the figures of its start page."""
        return cls(
            account=one.account,
            name=one.name,
            vnd=AssetBalanceReply.model_validate(one.amounts) if one.amounts else None,
            burn_down=BurnDownReply.of(one.burn_down) if one.burn_down else None,
        )


class FreeReply(Reply):
    """How much of something is free now: `cpu`, `gpu:h100`, `license/vcs`."""

    name: str
    free: int
    total: int


class TroubleReply(Reply):
    """A part of a cluster that does not answer."""

    cluster: str
    kind: TroubleKind
    since: datetime


class FirstStepsReply(Reply):
    """What somebody who is new has done already."""

    has_project: bool
    has_budget: bool
    has_job: bool
    has_token: bool


class OverviewReply(Reply):
    """What the start page tells."""

    jobs_running: int
    jobs_pending: int
    tasks_running: int
    jobs: list[JobReply]
    """The newest that you may see."""
    failed: list[JobReply]
    """Your own that ended badly since `since`."""
    projects: list[ProjectStandingReply]
    announcements: list[AnnouncementReply]
    unread_notices: int
    troubles: list[TroubleReply]
    free: list[FreeReply]
    first_steps: FirstStepsReply

    @classmethod
    def of(cls, found: Start) -> "OverviewReply":
        """The same figures as on the start page."""
        return cls(
            jobs_running=found.numbers.running,
            jobs_pending=found.numbers.pending,
            tasks_running=found.numbers.tasks_running,
            jobs=[JobReply.model_validate(job) for job in found.jobs],
            failed=[JobReply.model_validate(job) for job in found.failed],
            projects=[ProjectStandingReply.of(one) for one in found.projects],
            announcements=[AnnouncementReply.model_validate(one) for one in found.announcements],
            unread_notices=found.unread_notices,
            troubles=[TroubleReply.model_validate(one) for one in found.troubles],
            free=[FreeReply.model_validate(one) for one in found.free],
            first_steps=FirstStepsReply.model_validate(found.first_steps),
        )


@router.get("/overview")
def overview(
    services: PortalServices,
    actor: CurrentActor,
    since: Annotated[Instant | None, Query(description="Failed jobs are those since then.")] = None,
) -> OverviewReply:
    """Everything that is worth knowing first, in one reply."""
    with services.reading() as session:
        return OverviewReply.of(start(services, session, actor, since=since))
