"""The start page: what happened since the last visit, what runs, what is left, how full the clusters are."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.read import ShownAnnouncement, is_addressed, list_in_force
from hpc_portal.app.home.burn_down import burn_down
from hpc_portal.app.home.city_duties import city_duties
from hpc_portal.app.home.overview import failed_since, first_steps
from hpc_portal.app.home.visits import come_back
from hpc_portal.app.jobs.count_jobs import count_jobs
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.queries import Page, list_jobs
from hpc_portal.app.notices.read import list_unread
from hpc_portal.app.permissions import Action, may
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.jobs import EVERY_JOB, Filters, row_facts
from hpc_portal.web.project_choice import ProjectChoice, project_choice
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_burn_down import show_burn_down
from hpc_portal.web.show_duties import show_duties
from hpc_portal.web.show_figures import figure_facts
from hpc_portal.web.show_quota import share_percent, total_vnd
from quotas.balance import balances

router = APIRouter(include_in_schema=False)

_JOBS_SHOWN = 8
_BALANCES_SHOWN = 6
_NOTICES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ShortBalance:
    """What one project may still spend."""

    account: str
    available_vnd: int
    percent: int


@router.get("/")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """One look."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    away_since = come_back(services, actor)
    is_announced = is_addressed(services.announced.get(), actor)
    with services.reading() as session:
        choice = project_choice(request, session, actor)
        jobs = list_jobs(session, actor, JobFilter(), limit=_JOBS_SHOWN).items
        short = _balances(session, choice, at=now)
        has_budget = any(item.available_vnd > 0 for item in short)
        steps = first_steps(session, actor, has_budget=has_budget)
        spent = burn_down(session.connection(), choice.project.id, at=now) if choice else None
        facts = {
            "numbers": count_jobs(session, actor),
            "failed": failed_since(session, actor, away_since, at=now) if away_since else (),
            "put_aside": _put_aside(session, actor, at=now) if is_announced else (),
            "notices": list_unread(session, actor, locale=language.code, limit=_NOTICES_SHOWN),
        }
        waiting = city_duties(session, actor) if may(actor, Action.AUDIT) else None
    duties = show_duties(waiting, services.clusters.get(), language) if waiting else ()
    facts |= {
        **figure_facts(services.figures.get(), language),
        **row_facts(Page(jobs), Filters(), ticks=False),
        "away_since": away_since,
        "balances": short,
        "burn_down": show_burn_down(spent, language) if spent else None,
        "choice": choice,
        "duties": duties,
        "steps": None if steps.are_taken or actor.global_role else steps,
        "stream": f"{EVERY_JOB}&also=figures{'&also=clusters' if duties else ''}",
    }
    return pages.render(request, "home.html", facts)


def _put_aside(session: Session, actor: Actor, *, at: datetime) -> list[ShownAnnouncement]:
    """Announcements in force that the reader does not see on every page any more."""
    found = list_in_force(session, actor, at=at, with_dismissed=True)
    return [one for one in found if one.is_dismissed]


def _balances(session: Session, choice: ProjectChoice | None, *, at: datetime) -> list[ShortBalance]:
    shown = choice.projects[:_BALANCES_SHOWN] if choice else ()
    found = balances(session.connection(), [project.id for project in shown], at)
    amounts = [(project.account, total_vnd([found[project.id]])) for project in shown]
    return [ShortBalance(account, total.available, share_percent(total)) for account, total in amounts]
