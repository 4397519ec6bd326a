"""The list of jobs with its filters and views, its live cells, and cancelling many."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.queries import list_visible_accounts
from hpc_portal.app.errors import JobNotFound
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.owners import list_owners
from hpc_portal.app.jobs.queries import JobSummary, Page, list_jobs
from hpc_portal.app.jobs.since import Since, begin_of
from hpc_portal.app.saved_views.keep import FILTERS, forget_view, list_views, query_of, save_view
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.cookies import local_path
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.words import STATES
from quotas.slice_run import day_begins_at
from schedulers.jobstate import JobState
from workloads.template import N_

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
EVERY_JOB = "jobs=true"
"""What the stream of a page tells that shows several jobs; see `live`."""
_MOST_CELLS = 200


_TITLES = {
    "text": N_("Name"),
    "state": N_("State"),
    "project": N_("Project"),
    "owner": N_("Whose"),
    "cluster": N_("Cluster"),
    "since": N_("Submitted"),
}
_SINCE = {Since.TODAY: N_("Today"), Since.WEEK: N_("Last 7 days"), Since.MONTH: N_("Last 30 days")}


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is set; `href` is the list without it."""

    title: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What the reader narrowed the list to, as it stands in the URL."""

    text: str = ""
    state: str = ""
    project: str = ""
    owner: str = ""
    cluster: str = ""
    since: str = ""

    @property
    def is_set(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.chosen)

    def as_filter(self, *, now: datetime) -> JobFilter:
        """For the query; an unknown state narrows nothing.

        Raises:
            InvalidEntry: `since` is neither of its words nor a day.
        """
        return JobFilter(
            states=[JobState(self.state)] if self.state in set(JobState) else [],
            project=self.project,
            user=self.owner,
            name=self.text,
            cluster=self.cluster,
            submitted_after=begin_of(self.since, now=now),
        )

    @property
    def chosen(self) -> dict[str, str]:
        """Those that are set, by their names in addresses."""
        return {name: value for name in FILTERS if (value := getattr(self, name))}

    def url(self, cursor: str) -> str:
        """The address of the page that follows."""
        return f"/jobs?{urlencode({**self.chosen, 'cursor': cursor})}"

    def chips(self, language: Language) -> list[Chip]:
        """Each filter that is set, to be taken away by itself."""
        chips = []
        for name, value in self.chosen.items():
            rest = query_of({other: kept for other, kept in self.chosen.items() if other != name})
            shown = _shown(name, value, language)
            chips.append(Chip(language.text(_TITLES[name]), shown, f"/jobs?{rest}" if rest else "/jobs"))
        return chips


def _shown(name: str, value: str, language: Language) -> str:
    """What a filter is set to, in words."""
    if name == "state" and value in set(JobState):
        return language.text(STATES[JobState(value)].text)
    if name != "since":
        return value
    if value in _SINCE:
        return language.text(_SINCE[Since(value)])
    return language.gettext(N_("Since %(day)s"), day=language.day(day_begins_at(date.fromisoformat(value))))


@router.get("/jobs")
def show(  # noqa: PLR0913, PLR0917 - one parameter for each filter
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    text: str = "",
    state: str = "",
    project: str = "",
    owner: str = "",
    cluster: str = "",
    since: str = "",
    day: str = "",
    cursor: UUID | None = None,
    left_out: int = 0,
) -> Response:
    """The list; as a fragment, only the rows that follow. A `day` that was filled in is since when."""
    filters = Filters(text.strip(), state, project, owner, cluster, day or since)
    if day:
        return RedirectResponse(f"/jobs?{query_of(filters.chosen)}", HTTPStatus.SEE_OTHER)
    wanted = filters.as_filter(now=services.clock.now())
    with services.reading() as session:
        page = list_jobs(session, actor, wanted, cursor=cursor, limit=PAGE_SIZE)
        if "hx-request" in request.headers and cursor is not None:
            return pages_of(request).render(request, "jobs/rows.html", row_facts(page, filters))
        projects = list_visible_accounts(session, actor)
        owners = list_owners(session, actor, project)
        views = list_views(session, actor)
    query = query_of(filters.chosen)
    language = pages_of(request).language(request)
    facts = {
        **row_facts(page, filters),
        "filters": filters,
        "chips": filters.chips(language),
        "views": views,
        "query": query,
        "view": next((view.name for view in views if view.query == query), ""),
        "projects": projects,
        "owners": sorted({*owners, filters.owner} - {"", actor.username}),
        "clusters": services.settings.cluster_names,
        "state_choices": [(state, word.text) for state, word in STATES.items()],
        "since_choices": [
            (value, _shown("since", value, language)) for value in dict.fromkeys((*_SINCE, since)) if value
        ],
        "stream": EVERY_JOB,
        "left_out": left_out,
    }
    return pages_of(request).render(request, "jobs/list.html", facts)


@router.get("/jobs/rows")
def show_rows(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    id: list[UUID] = Query(max_length=_MOST_CELLS),  # noqa: A002, B008, FAST002 - as it is called in URLs
) -> Response:
    """The present cells of some jobs, for a page that heard that they changed."""
    with services.reading() as session:
        page = list_jobs(session, actor, JobFilter(job_ids=id), limit=_MOST_CELLS)
    return pages_of(request).render(request, "jobs/rows.html", row_facts(Page(page.items), Filters()))


@router.post("/jobs/views")
async def save(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Keep the filter that the list is narrowed to under a name, and show it."""
    form = await request.form()
    filters = dict(parse_qsl(str(form.get("query", ""))))
    view = await asyncio.to_thread(save_view, services, actor, str(form.get("name", "")), filters)
    return RedirectResponse(f"/jobs?{view.query}", HTTPStatus.SEE_OTHER)


@router.post("/jobs/views/forget")
async def forget(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Drop a view; the list stays."""
    form = await request.form()
    await asyncio.to_thread(forget_view, services, actor, str(form.get("name", "")))
    return back_to_list(request)


@router.post("/jobs/cancel")
async def cancel_many(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Ask for the ticked jobs to be cancelled: all of them or, when one may not be, none."""
    await asyncio.to_thread(request_cancel, services, actor, await ticked_jobs(request))
    return back_to_list(request)


async def ticked_jobs(request: Request) -> list[UUID]:
    """The jobs that are ticked in the list."""
    form = await request.form()
    return [_job_id(str(value)) for value in form.getlist("id")]


def back_to_list(request: Request, *, left_out: int = 0) -> Response:
    """To where the reader came from, with its filters; and how many of the ticked jobs were left alone."""
    back = local_path(request.headers.get("referer", "").partition(request.headers.get("host", " "))[2])
    path, _, query = (back if back != "/" else "/jobs").partition("?")
    wanted = [(name, value) for name, value in parse_qsl(query) if name != "left_out"]
    if left_out:
        wanted.append(("left_out", str(left_out)))
    return RedirectResponse(f"{path}?{urlencode(wanted)}" if wanted else path, HTTPStatus.SEE_OTHER)


def _job_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise JobNotFound(text) from None


def row_facts(page: Page[JobSummary], filters: Filters, *, ticks: bool = True) -> dict[str, object]:
    """What jobs/rows.html needs."""
    more = filters.url(page.next_cursor) if page.next_cursor else ""
    return {"jobs": page.items, "more": more, "ticks": ticks}
