"""The list of campaigns of every kind, with its filters; each leads to the page of its kind."""

from dataclasses import dataclass, fields
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.queries import list_visible_accounts
from hpc_portal.app.campaigns.kinds import CampaignKind
from hpc_portal.app.campaigns.list_all import PointsView, list_all_campaigns
from hpc_portal.app.campaigns.queries import CampaignFilter, CampaignView
from hpc_portal.app.jobs.owners import list_owners
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.jobs import EVERY_JOB
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_campaign import KINDS_OF_CAMPAIGNS, legend, legend_of_points
from hpc_portal.web.words import STATES, Word
from schedulers.jobstate import JobState

router = APIRouter(include_in_schema=False)

_LISTED = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """What the reader narrowed the list to, as it stands in the address."""

    kind: str
    state: str
    project: str
    owner: str
    name: str

    @property
    def chosen(self) -> dict[str, str]:
        """Those that are set, by their names in addresses."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name))}

    @property
    def wanted_kind(self) -> CampaignKind | None:
        """An unknown one narrows nothing."""
        return CampaignKind(self.kind) if self.kind in set(CampaignKind) else None

    def as_filter(self) -> CampaignFilter:
        """For the query; an unknown state narrows nothing."""
        return CampaignFilter(
            project=self.project,
            user=self.owner,
            states=[JobState(self.state)] if self.state in set(JobState) else [],
            name=self.name,
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list."""

    found: CampaignView | PointsView
    kind: Word
    href: str
    legend: list[tuple[Word, int]]
    job_id: UUID
    """Of the newest of its jobs."""
    job: JobSummary | None
    """Of a sweep or corners, which are one job."""


@router.get("/campaigns")
def show_list(  # noqa: PLR0913, PLR0917 - one parameter for each filter
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    kind: str = "",
    state: str = "",
    project: str = "",
    owner: str = "",
    name: str = "",
    cursor: UUID | None = None,
) -> Response:
    """Regressions, sweeps and corners of the reader's projects together, newest first."""
    filters = Filters(kind, state, project, owner, name)
    with services.reading() as session:
        page = list_all_campaigns(
            session, actor, filters.as_filter(), kind=filters.wanted_kind, cursor=cursor, limit=_LISTED
        )
        projects = list_visible_accounts(session, actor)
        owners = list_owners(session, actor, project)
    older = urlencode({**filters.chosen, "cursor": page.next_cursor}) if page.next_cursor else ""
    facts = {
        "listed": [_listed(one) for one in page.items],
        "filters": filters,
        "is_narrowed": bool(filters.chosen),
        "kinds": list(KINDS_OF_CAMPAIGNS.items()),
        "states": [(value, word.text) for value, word in STATES.items()],
        "state_words": STATES,
        "projects": projects,
        "owners": sorted({*owners, owner} - {"", actor.username}),
        "older": f"/campaigns?{older}" if older else "",
        "stream": EVERY_JOB,
    }
    return pages_of(request).render(request, "campaigns/list.html", facts)


def _listed(found: CampaignView | PointsView) -> Listed:
    kind = KINDS_OF_CAMPAIGNS[found.kind]
    match found:
        case CampaignView():
            newest = found.runs[-1].job_id
            return Listed(found, kind, f"/campaigns/{found.id}", legend(found.first), newest, None)
        case PointsView(job):
            href = f"/jobs/{job.id}/{found.kind}"
            return Listed(found, kind, href, legend_of_points(job), job.id, job)
