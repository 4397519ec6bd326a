"""One job: overview, cost, events; each tab is a URL that works alone."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.cost import job_cost
from hpc_portal.app.jobs.efficiency import job_efficiency
from hpc_portal.app.jobs.journal import job_events, list_changes
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.queries import JobDetail, get_job, list_tasks, task_states
from hpc_portal.app.jobs.results import NO_RESULTS, results_of
from hpc_portal.app.jobs.start_of_waiting import start_of_waiting
from hpc_portal.app.jobs.wish import ChangeKind
from hpc_portal.app.licenses.waiting import licenses_waited_for
from hpc_portal.app.limits.in_use import limit_waited_for
from hpc_portal.app.reports.read_charges import job_charges
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.report_files import Form
from hpc_portal.web.language import Language
from hpc_portal.web.points import page_of_points
from hpc_portal.web.problems import problems_of
from hpc_portal.web.refunds import show_refunds
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_changes import CHANGES, show_changes
from hpc_portal.web.show_cost import show_cost
from hpc_portal.web.show_efficiency import show_efficiency
from hpc_portal.web.show_license_wait import show_license_waits
from hpc_portal.web.show_report import edition_for, file_of
from hpc_portal.web.show_results import show_matrix
from hpc_portal.web.show_run import run_of_job, total_of
from hpc_portal.web.show_start import show_start
from hpc_portal.web.timeline import Times, timeline
from hpc_portal.web.words import EVENTS, FACTS, OUTCOMES, STATES, Word, exit_text, reason_text
from schedulers import tres
from schedulers.jobstate import JobState
from schedulers.tres import Tres
from workloads import campaign
from workloads.template import N_

router = APIRouter(include_in_schema=False)

RUNS_SHOWN = 200
"""So many runs of an array are looked at for what they used."""
_EVENTS_SHOWN = 500
_CHANGES_SEEN = 20
_TASKS_FAILED = re.compile(r"(?P<failed>\d+) of (?P<total>\d+) tasks failed")
_OTHER_EVENT = Word("timeline", N_("Event"), "off")


@dataclass(frozen=True, slots=True)
class Tab:
    """One part of a job's page."""

    name: str
    path: str
    icon: str
    text: str


TABS = (
    Tab("overview", "", "timeline", N_("Overview")),
    Tab("log", "/log", "terminal-2", N_("Log")),
    Tab("metrics", "/metrics", "chart-line", N_("Metrics")),
    Tab("utilisation", "/utilisation", "cpu", N_("Utilisation")),
    Tab("files", "/files", "folder", N_("Files")),
    Tab("cost", "/cost", "receipt-2", N_("Cost")),
    Tab("events", "/events", "history", N_("Events")),
    Tab("script", "/script", "code", N_("Script")),
)


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One line of the journal."""

    word: Word
    at: Any
    facts: tuple[str, ...]


@router.get("/jobs/{job_id}")
def show_overview(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Where it stands, why, and what it achieved so far."""
    return show_overview_of(request, actor, services, job_id)


def show_overview_of(
    request: Request, actor: Actor, services: Services, job_id: UUID, *, change_problem: object | None = None
) -> Response:
    """The overview; with the form that was refused and why, when one was."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        runs = list_tasks(session, actor, job_id, limit=RUNS_SHOWN).items
        in_campaign = run_of_job(session, actor, job_id)
        found = NO_RESULTS if in_campaign else results_of(services, job)
        results, cells = found.results, found.campaign
        states = task_states(session, actor, job_id) if cells else {}
        changes = list_changes(session, actor, job_id, limit=_CHANGES_SEEN)
        limit = limit_waited_for(session.connection(), job, job.spec)
        efficiency = job_efficiency(session.connection(), job) if job.is_over else None
        start = start_of_waiting(services, session.connection(), job)
        license_waits = licenses_waited_for(session.connection(), actor, job)
    language = pages_of(request).language(request)
    times = Times(job.submitted_at, job.dispatched_at, job.started_at, job.ended_at, job.settled_at)
    failures = campaign.buckets(results.tasks)
    facts = {
        "outcome": OUTCOMES.get(job.state, ""),
        "exit_explained": "" if job.is_array else exit_text(job.exit_code, job.exit_signal),
        "first_failure": failures[0].first.failure if failures else None,
        "timeline": timeline(times, job.phase, now=services.clock.now()),
        "failures": failures if job.is_array else [],
        "in_campaign": in_campaign,
        "points_page": page_of_points(job.template),
        "matrix": show_matrix(cells, results, states),
        "results": results,
        "has_more_results": bool(results.series or results.tables),
        "asked": _asked(job),
        "nodes": total_of(runs).nodes,
        "license_waits": show_license_waits(license_waits, language),
        "efficiency": show_efficiency(efficiency, language) if efficiency else None,
        "start": show_start(start, language, now=services.clock.now()) if start else None,
        "changes": show_changes(changes, language, now=services.clock.now()),
        "change_problem": change_problem,
        "limit": problems_of(limit, language)[0].text if limit else "",
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if change_problem else HTTPStatus.OK
    return show_tab(request, job, "overview", facts, status=status)


@router.get("/jobs/{job_id}/cost")
def show_costs(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """What was estimated, held and charged, line by line; and every run as a file."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        if request.query_params.get("format", "") in set(Form):
            return file_of(request, job_charges(session, job, edition_for(request)))
        cost = job_cost(session.connection(), job)
    language = pages_of(request).language(request)
    facts = {
        "cost": show_cost(cost, language),
        "refunds": show_refunds(services, actor, job_id, language),
    }
    return show_tab(request, job, "cost", facts)


@router.get("/jobs/{job_id}/events")
def show_events(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Everything that happened to it."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        records = job_events(session, actor, job_id, limit=_EVENTS_SHOWN).items
    language = pages_of(request).language(request)
    shown = [
        ShownEvent(
            EVENTS.get(record.kind, _OTHER_EVENT),
            record.at,
            tuple(_facts(record.facts, language)),
        )
        for record in reversed(records)
    ]
    return show_tab(request, job, "events", {"events": shown})


@router.post("/jobs/{job_id}/cancel")
async def cancel(actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """Record the wish; the page then says that it is being cancelled."""
    await asyncio.to_thread(request_cancel, services, actor, [job_id])
    return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)


def show_tab(  # noqa: PLR0913 - which tab, and how
    request: Request,
    job: JobDetail,
    tab: str,
    facts: Mapping[str, Any],
    *,
    template: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """One tab under the job's head; it is live until the money is settled, a log until the job is over."""
    is_live = not job.is_over if tab == "log" else job.phase not in {Phase.SETTLED, Phase.REFUSED}
    head = {
        "job": job,
        "tab": tab,
        "tab_path": next(one.path for one in TABS if one.name == tab),
        "tabs": [one for one in TABS if _has(job, one)],
        "stream": f"job={job.id}" if is_live else "",
    }
    return pages_of(request).render(request, f"job/{template or tab}.html", {**head, **facts}, status=status)


def _has(job: JobDetail, tab: Tab) -> bool:
    """Only a template measures something: without one the tab would be empty for ever."""
    return tab.name != "metrics" or job.template is not None


def _facts(facts: Mapping[str, Any], language: Language) -> Iterator[str]:
    for name, value in facts.items():
        if name not in FACTS or value in (None, "", 0):
            continue
        match name:
            case "state" if value in set(JobState):
                shown = language.text(STATES[JobState(value)].text)
            case "reason":
                shown = _reason(value, language)
            case "change" if value in set(ChangeKind):
                shown = language.text(CHANGES[ChangeKind(value)])
            case "walltime_seconds":
                shown = language.duration(value)
            case "charged_vnd" | "change_vnd":
                shown = language.vnd(value)
            case _:
                shown = str(value)
        yield f"{language.text(FACTS[name])}: {shown}"


def _reason(text: str, language: Language) -> str:
    """A reason in words, also the one that carries numbers: see `lifecycle`."""
    if counted := _TASKS_FAILED.fullmatch(text):
        return language.gettext(N_("%(failed)s of %(total)s tasks failed"), **counted.groupdict())
    return language.text(reason_text(text, language.code))


def _asked(job: JobDetail) -> list[tuple[Tres, int]]:
    """What it asked for, in order; GPUs by their type alone where it named one."""
    asked = job.spec.resources.tres
    has_type = any(name.startswith(f"{tres.GPU}:") for name in asked)
    hidden = {tres.NODE, tres.GPU} if has_type else {tres.NODE}
    return sorted((name, amount) for name, amount in asked.items() if name not in hidden)
