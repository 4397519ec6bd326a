"""The start page: what runs, what waits, what is left, how full the cluster is."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.jobs.count_jobs import count_jobs
from hpc_portal.app.jobs.queries import JobFilter, Page, list_jobs
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.jobs import Filters, row_facts
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_cluster import Meter, meters_of
from hpc_portal.web.show_quota import share_percent, total_vnd
from quotas.balance import balance
from schedulers.cluster import ClusterSnapshot
from workloads.template import N_

router = APIRouter(include_in_schema=False)

_JOBS_SHOWN = 8
_BALANCES_SHOWN = 6


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
    with services.reading() as session:
        jobs = list_jobs(session, actor, JobFilter(), limit=_JOBS_SHOWN).items
        numbers = count_jobs(session, actor)
        projects = list_visible_projects(session, actor)
        own = [record for record in projects if record.role is not None] or projects
        balances = []
        for record in own[:_BALANCES_SHOWN]:
            amounts = total_vnd([balance(session.connection(), record.id, now)])
            balances.append(ShortBalance(record.account, amounts.available, share_percent(amounts)))
    clusters = services.clusters.get()
    facts = {
        **row_facts(Page(jobs), Filters(), ticks=False),
        "numbers": numbers,
        "balances": balances,
        "budget": sum(item.available_vnd for item in balances) if balances else None,
        "meters": _meters(clusters, language),
        "free": _free(clusters, language),
        "stream": True,
    }
    return pages.render(request, "home.html", facts)


def _meters(clusters: Sequence[ClusterSnapshot], language: Language) -> tuple[Meter, ...]:
    return meters_of(tuple(node for cluster in clusters for node in cluster.nodes), language)


def _free(clusters: Sequence[ClusterSnapshot], language: Language) -> Free:
    meters = _meters(clusters, language)
    gpus = [meter for meter in meters if meter.label.startswith("GPU")]
    counted = gpus or meters[:1]
    total = sum(meter.total for meter in counted)
    label = language.gettext(N_("Free GPUs") if gpus else N_("Free CPU cores"))
    return Free(label, total - sum(meter.used for meter in counted), total)
