"""The start page: what happened since the last visit, what runs, what is left, how full the clusters are."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import Response

from hpc_portal.app.accounts.queries import list_own_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.read import ShownAnnouncement, is_addressed, list_in_force
from hpc_portal.app.home.burn_down import burn_down
from hpc_portal.app.home.city_duties import city_duties
from hpc_portal.app.home.overview import failed_since, first_steps
from hpc_portal.app.home.visits import come_back
from hpc_portal.app.jobs.count_jobs import count_jobs
from hpc_portal.app.jobs.queries import JobFilter, Page, list_jobs
from hpc_portal.app.licenses.queries import license_use
from hpc_portal.app.licenses.waiting import free_of
from hpc_portal.app.notices.read import list_unread
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.jobs import EVERY_JOB, Filters, row_facts
from hpc_portal.web.language import Language
from hpc_portal.web.project_choice import project_choice
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_burn_down import show_burn_down
from hpc_portal.web.show_cluster import Meter, meters_of
from hpc_portal.web.show_duties import show_duties
from hpc_portal.web.show_quota import share_percent, total_vnd
from quotas.balance import balance
from schedulers.cluster import ClusterSnapshot
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_JOBS_SHOWN = 8
_BALANCES_SHOWN = 6
_NOTICES_SHOWN = 3
_LICENSES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ShortBalance:
    """What one project may still spend."""

    account: str
    available_vnd: int
    percent: int


@dataclass(frozen=True, slots=True)
class Free:
    """How much of the scarcest thing is free: GPUs where there are any, else CPU cores."""

    label: str
    free: int
    total: int


@router.get("/")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """One look."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    away_since = come_back(services, actor)
    choice = project_choice(request, actor)
    with services.reading() as session:
        jobs = list_jobs(session, actor, JobFilter(), limit=_JOBS_SHOWN).items
        balances = _balances(session, actor, services)
        has_budget = any(item.available_vnd > 0 for item in balances)
        steps = first_steps(session, actor, has_budget=has_budget)
        spent = burn_down(session.connection(), choice.project.id, at=now) if choice else None
        licenses = license_use(session.connection(), actor)[:_LICENSES_SHOWN]
        facts = {
            "numbers": count_jobs(session, actor),
            "failed": failed_since(session, actor, away_since, at=now) if away_since else (),
            "put_aside": _put_aside(services, session, actor),
            "notices": list_unread(session, actor, locale=language.code, limit=_NOTICES_SHOWN),
        }
        waiting = city_duties(session, actor) if may(actor, Action.AUDIT) else None
    clusters = services.clusters.get()
    facts |= {
        **row_facts(Page(jobs), Filters(), ticks=False),
        "away_since": away_since,
        "balances": balances,
        "burn_down": show_burn_down(spent, language) if spent else None,
        "choice": choice,
        "duties": show_duties(waiting, clusters, language) if waiting else (),
        "project_choice": lambda: choice,
        "free": _free(clusters, language),
        "licenses": [(use.name, free_of(use), use.total) for use in licenses],
        "meters": _meters(clusters, language),
        "steps": None if steps.are_taken or actor.global_role else steps,
        "stream": f"{EVERY_JOB}&also=clusters",
    }
    return pages.render(request, "home.html", facts)


def _put_aside(services: Services, session: Session, actor: Actor) -> list[ShownAnnouncement]:
    """Announcements in force that the reader does not see on every page any more."""
    if not is_addressed(services.announced.get(), actor):
        return []
    found = list_in_force(session, actor, at=services.clock.now(), with_dismissed=True)
    return [one for one in found if one.is_dismissed]


def _balances(session: Session, actor: Actor, services: Services) -> list[ShortBalance]:
    found = []
    for record in list_own_projects(session, actor)[:_BALANCES_SHOWN]:
        amounts = total_vnd([balance(session.connection(), record.id, services.clock.now())])
        found.append(ShortBalance(record.account, amounts.available, share_percent(amounts)))
    return found


def _meters(clusters: Sequence[ClusterSnapshot], language: Language) -> tuple[Meter, ...]:
    return meters_of(tuple(node for cluster in clusters for node in cluster.nodes), language)


def _free(clusters: Sequence[ClusterSnapshot], language: Language) -> Free:
    meters = _meters(clusters, language)
    gpus = [meter for meter in meters if meter.label.startswith("GPU")]
    counted = gpus or meters[:1]
    total = sum(meter.total for meter in counted)
    label = language.gettext(N_("Free GPUs") if gpus else N_("Free CPU cores"))
    return Free(label, total - sum(meter.used for meter in counted), total)
