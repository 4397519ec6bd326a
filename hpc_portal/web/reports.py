"""Pages of reports: usage, waste, utilisation, forecast, idle grants; every filter is in the address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.reports.budget_forecast import forecast_budget, forecast_document
from hpc_portal.app.reports.idle_grants import idle_grants, idle_grants_document
from hpc_portal.app.reports.period import Period, parse_day, period
from hpc_portal.app.reports.scope import Tenants, visible_tenants
from hpc_portal.app.reports.usage import (
    GROUPS,
    MOST_DIMENSIONS,
    UsageQuery,
    UsageReport,
    report_of,
    require_answerable,
)
from hpc_portal.app.reports.usage_document import SHOWN_MEASURES, dimension_column, usage_document
from hpc_portal.app.reports.utilisation import Grain, utilisation, utilisation_document
from hpc_portal.app.reports.waste import waste_document
from hpc_portal.app.reports.waste_report import waste_of
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.show_report import answer, edition_for
from hpc_portal.web.words import STATES
from quotas.usage_report import Dimension
from workloads.template import N_

router = APIRouter(include_in_schema=False)

LINES_OF_A_PAGE = 100
"""Nobody reads more; files have all."""
_LINES_AT_ONCE = 200
"""Day by day there are more, for each of the above."""
_TABS = (
    ("/reports", N_("Usage")),
    ("/reports/waste", N_("Waste")),
    ("/reports/utilisation", N_("Utilisation")),
    ("/reports/forecast", N_("Forecast")),
    ("/reports/statement", N_("Statements")),
)
_TABS_OF_ALL = (("/reports/idle-grants", N_("Idle grants")),)
_NAMED = (
    *(Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER, Dimension.CLUSTER),
    *(Dimension.PARTITION, Dimension.WORKLOAD, Dimension.STATE, Dimension.GPU_TYPE),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the reader asked for, as it stands in the address."""

    by: tuple[Dimension, ...]
    period: Period
    where: dict[Dimension, str]

    @classmethod
    def of(cls, request: Request, services: PortalServices, default: Sequence[Dimension]) -> "Filters":
        """Unknown respects are left out; days that are none are an error.

        Raises:
            InvalidEntry: a day that is none, or a period that is impossible.
        """
        asked = request.query_params
        known = [Dimension(key) for key in asked.getlist("by") if key in set(GROUPS)]
        since, last = (parse_day(asked.get(name, ""), name) for name in ("since", "last"))
        return cls(
            by=tuple(dict.fromkeys(known or default))[:MOST_DIMENSIONS],
            period=period(since, last, now=services.clock.now()),
            where={key: asked[key].strip() for key in _NAMED if asked.get(key, "").strip()},
        )


def tabs(actor: Actor) -> Sequence[tuple[str, str]]:
    """The reports that this person may open."""
    return (*_TABS, *_TABS_OF_ALL) if may(actor, Action.AUDIT) else _TABS


@router.get("/reports")
def usage(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Who used what."""
    filters = Filters.of(request, services, [Dimension.MONTH, Dimension.PROJECT])
    is_page = not request.query_params.get("format")
    report, facts = _ask(request, actor, services, filters, most=LINES_OF_A_PAGE if is_page else None)
    document = usage_document(report, edition_for(request))
    measure = "gpu_seconds" if report.total.gpu_seconds and not report.total.vnd else "vnd"
    return answer(request, document, "reports/usage.html", facts, measure=measure, most_lines=_LINES_AT_ONCE)


@router.get("/reports/waste")
def waste(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What jobs held and did not use."""
    filters = Filters.of(request, services, [Dimension.PROJECT])
    edition = edition_for(request)
    with services.reading() as session:
        query = UsageQuery(filters.by, filters.period, filters.where)
        require_answerable(query)
        tenants = visible_tenants(session.connection(), actor)
        report = waste_of(session.connection(), tenants, query, at=edition.made_at)
    facts = _form(request, actor, services, filters, tenants)
    document = waste_document(report, edition)
    measure = "gpu_idle_seconds" if report.total.usage.gpu_measured_seconds else "cpu_idle_seconds"
    return answer(request, document, "reports/usage.html", facts, measure=measure)


@router.get("/reports/utilisation")
def cluster_utilisation(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """How much of the clusters jobs had."""
    filters = Filters.of(request, services, [Dimension.MONTH])
    grain = Grain.DAY if Dimension.DAY in filters.by else Grain.MONTH
    cluster = filters.where.get(Dimension.CLUSTER, "")
    with services.reading() as session:
        found = utilisation(session.connection(), filters.period, grain, cluster)
    document = utilisation_document(found, filters.period, grain, edition_for(request))
    facts = {
        "tabs": tabs(actor),
        "filters": filters,
        "grain": grain.value,
        "clusters": services.settings.cluster_names,
    }
    return answer(request, document, "reports/utilisation.html", facts)


@router.get("/reports/forecast")
def budget_forecast(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    project: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """When a project's budget runs out."""
    edition = edition_for(request)
    with services.reading() as session:
        connection = session.connection()
        accounts = _accounts(connection, actor)
        account = project or next(iter(accounts), "")
        found = forecast_budget(connection, actor, account, at=edition.made_at) if account else []
    facts = {"tabs": tabs(actor), "accounts": accounts, "account": account}
    return answer(request, forecast_document(account, found, edition), "reports/forecast.html", facts)


@router.get("/reports/idle-grants")
def grants_left_idle(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Grants that could be re-granted; for those who see the whole city."""
    edition = edition_for(request)
    found = idle_grants(services, actor, at=edition.made_at)
    facts: dict[str, object] = {"tabs": tabs(actor)}
    return answer(request, idle_grants_document(found, edition), "reports/idle_grants.html", facts)


def _accounts(connection: Connection, actor: Actor) -> list[str]:
    """The reader's own projects first."""
    tenants = visible_tenants(connection, actor)
    return sorted(tenants.projects.values(), key=lambda name: (not _is_own(actor, tenants, name), name))


def _is_own(actor: Actor, tenants: Tenants, account: str) -> bool:
    return any(tenants.projects.get(key) == account for key in actor.projects)


def _ask(
    request: Request,
    actor: Actor,
    services: PortalServices,
    filters: Filters,
    *,
    most: int | None = None,
) -> tuple[UsageReport, dict[str, object]]:
    """The report, and what the form above it offers."""
    with services.reading() as session:
        connection = session.connection()
        query = UsageQuery(filters.by, filters.period, filters.where)
        require_answerable(query)
        tenants = visible_tenants(connection, actor)
        report = report_of(connection, tenants, query, most=most, measures=SHOWN_MEASURES)
        return report, _form(request, actor, services, filters, tenants)


def _form(
    request: Request, actor: Actor, services: PortalServices, filters: Filters, tenants: Tenants
) -> dict[str, object]:
    """What the form above a report offers."""
    language = edition_for(request).language
    return {
        "tabs": tabs(actor),
        "filters": filters,
        "where": {key.value: value for key, value in filters.where.items()},
        "by": [key.value for key in filters.by],
        "groups": [(key.value, dimension_column(key, language).title) for key in GROUPS],
        "organisations": sorted(set(tenants.organisations.values())),
        "projects": sorted(tenants.projects.values()),
        "clusters": services.settings.cluster_names,
        "states": [(state.value, word.text) for state, word in STATES.items() if state.is_terminal],
    }
