"""One job: overview, cost, specification, events; each tab is a URL that works alone."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
from hpc_portal.app.jobs.queries import (
    JobDetail,
    TaskRun,
    get_job,
    list_tasks,
    task_states,
)
from hpc_portal.app.jobs.results import NO_RESULTS, results_of
from hpc_portal.app.jobs.wish import ChangeKind
from hpc_portal.app.licenses.waiting import licenses_waited_for
from hpc_portal.app.limits.in_use import limit_waited_for
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.points import page_of_points
from hpc_portal.web.problems import problems_of
from hpc_portal.web.refunds import show_refunds
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_changes import CHANGES, show_changes
from hpc_portal.web.show_cost import show_cost
from hpc_portal.web.show_efficiency import show_efficiency
from hpc_portal.web.show_license_wait import show_license_waits
from hpc_portal.web.show_parameters import show_parameters
from hpc_portal.web.show_results import show_curves, show_matrix
from hpc_portal.web.show_run import run_of_job
from hpc_portal.web.timeline import Times, timeline
from hpc_portal.web.words import EVENTS, FACTS, OUTCOMES, STATES, Word, exit_text, reason_text
from schedulers import tres
from schedulers.jobstate import JobState
from schedulers.tres import Tres
from workloads import campaign
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_RUNS_SHOWN = 200
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
    Tab("files", "/files", "folder", N_("Files")),
    Tab("cost", "/cost", "receipt-2", N_("Cost")),
    Tab("spec", "/spec", "code", N_("Script")),
    Tab("events", "/events", "history", N_("Events")),
)


@dataclass(frozen=True, slots=True)
class Used:
    """What the shown runs used, where it is known."""

    nodes: tuple[str, ...]
    cpu_percent: int | None
    gpu_percent: int | None
    max_rss_mib: int
    energy_joules: int


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
        runs = list_tasks(session, actor, job_id, limit=_RUNS_SHOWN).items
        in_campaign = run_of_job(session, actor, job_id)
        found = NO_RESULTS if in_campaign else results_of(services, job)
        results, cells = found.results, found.campaign
        states = task_states(session, actor, job_id) if cells else {}
        changes = list_changes(session, actor, job_id, limit=_CHANGES_SEEN)
        limit = limit_waited_for(session.connection(), job, job.spec)
        efficiency = job_efficiency(session.connection(), job) if job.is_over else None
        license_waits = licenses_waited_for(session.connection(), actor, job)
    language = pages_of(request).language(request)
    times = Times(job.submitted_at, job.dispatched_at, job.started_at, job.ended_at, job.settled_at)
    failures = campaign.buckets(results.tasks)
    facts = {
        "outcome": OUTCOMES.get(job.state, ""),
        "exit_explained": "" if job.is_array else exit_text(job.exit_code, job.exit_signal),
        "first_failure": failures[0].first.failure if failures else None,
        "timeline": timeline(times, job.phase),
        "failures": failures if job.is_array else [],
        "in_campaign": in_campaign,
        "points_page": page_of_points(job.template),
        "matrix": show_matrix(cells, results, states),
        "results": results,
        "curves": show_curves(results.series),
        "asked": _asked(job),
        "used": _used(runs),
        "license_waits": show_license_waits(license_waits, language),
        "efficiency": show_efficiency(efficiency, language) if efficiency else None,
        "changes": show_changes(changes, language, now=services.clock.now()),
        "change_problem": change_problem,
        "limit": problems_of(limit, language)[0].text if limit else "",
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if change_problem else HTTPStatus.OK
    return show_tab(request, job, "overview", facts, status=status)


@router.get("/jobs/{job_id}/cost")
def show_costs(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """What was estimated, held and charged, line by line."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        cost = job_cost(session.connection(), job)
    language = pages_of(request).language(request)
    facts = {
        "cost": show_cost(cost, language),
        "refunds": show_refunds(services, actor, job_id, language),
    }
    return show_tab(request, job, "cost", facts)


@router.get("/jobs/{job_id}/spec")
def show_spec(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """The script and the whole specification."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        parameters = show_parameters(session, job, pages_of(request).language(request))
    spec = job.spec.model_dump(mode="json", exclude_defaults=True)
    script = spec.pop("script", None) or " ".join(job.spec.argv or ())
    for item in spec.get("inputs", ()):
        item["content"] = f"… {len(item['content'])} …"
    facts = {
        "script": script,
        "spec_json": json.dumps(spec, indent=2, ensure_ascii=False),
        "parameters": parameters,
    }
    return show_tab(request, job, "spec", facts)


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
    head = {"job": job, "tab": tab, "tabs": TABS, "stream": f"job={job.id}" if is_live else ""}
    return pages_of(request).render(request, f"job/{template or tab}.html", {**head, **facts}, status=status)


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


def _used(runs: Sequence[TaskRun]) -> Used:
    nodes = dict.fromkeys(node for run in runs for node in run.nodes)
    ended = [run for run in runs if run.elapsed_seconds and run.state is not JobState.RUNNING]
    reserved = sum(run.allocated_tres.get("cpu", 0) * (run.elapsed_seconds or 0) for run in ended)
    used = sum(run.cpu_seconds for run in ended)
    measured = [run for run in ended if run.gpu_busy_seconds is not None]
    gpus_held = sum(run.allocated_tres.get(tres.GPU, 0) * (run.elapsed_seconds or 0) for run in measured)
    gpus_busy = sum(run.gpu_busy_seconds or 0 for run in measured)
    return Used(
        nodes=tuple(nodes),
        cpu_percent=round(100 * used / reserved) if reserved and used else None,
        gpu_percent=min(100, round(100 * gpus_busy / gpus_held)) if gpus_held else None,
        max_rss_mib=max((run.max_rss_mib for run in runs), default=0),
        energy_joules=sum(run.energy_joules or 0 for run in runs),
    )
