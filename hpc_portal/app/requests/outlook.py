"""What a reviewer should know before deciding: balances, load, prices and what can still be promised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.reports.budget_forecast import BudgetForecast, forecast_budget
from hpc_portal.app.requests.amounts import of_ledger
from hpc_portal.app.requests.past_use import MonthOfUse, past_use
from hpc_portal.app.requests.promisable import Promisable, load_outstanding, promisable
from hpc_portal.app.requests.queries import RequestDetail
from hpc_portal.app.services import Services
from quotas.amounts import STORAGE, Asset
from quotas.balance import AssetBalance, balances
from quotas.errors import InvalidAmount, NoPriceList, UnpricedResource
from quotas.money import VND
from quotas.pricing import PriceList, price
from quotas.tables import Project
from schedulers.cluster import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class OutlookLine:
    """One resource that is asked for, in the request's period."""

    asset: Asset
    asked: int
    promisable: Promisable | None
    """None where the clusters have no such thing to count, such as storage."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Beside one request."""

    lines: tuple[OutlookLine, ...]
    availability_percent: int
    project: Mapping[Asset, AssetBalance]
    organisation: Mapping[Asset, AssetBalance]
    """The sum over its projects."""
    list_price_vnd: int | None
    months: tuple[MonthOfUse, ...]
    """What was used, the present month in front."""
    forecasts: tuple[BudgetForecast, ...]
    """When the project's present budget runs out."""
    clusters: tuple[ClusterSnapshot, ...] = field(repr=False, default=())


def look_ahead(services: Services, actor: Actor, request: RequestDetail) -> Outlook:
    """For those who decide, and auditors: it tells of grants of the whole city.

    Raises:
        NotAllowed: the actor neither decides nor audits.
    """
    permissions.require(actor, Action.AUDIT)
    now = services.clock.now()
    clusters = services.clusters.get()
    prices = price_list_of(services)
    percent = services.settings.capacity_availability_percent
    with services.reading() as session:
        connection = session.connection()
        period = request.summary
        begin = max(period.valid_from, now)
        found = promisable(
            clusters=clusters,
            outstanding=load_outstanding(connection, begin=begin, end=period.valid_to),
            price_list=prices,
            valid_from=period.valid_from,
            valid_to=period.valid_to,
            now=now,
            availability_percent=percent,
        )
        siblings = _projects_of(connection, request.organisation_id)
        projects = balances(connection, {*siblings, request.project_id}, now)
        organisation: dict[Asset, AssetBalance] = {}
        for project_id in siblings:
            for asset, amounts in projects[project_id].by_asset.items():
                organisation[asset] = organisation.get(asset, AssetBalance()) + amounts
        months = past_use(
            connection, project_id=request.project_id, organisation_id=request.organisation_id, at=now
        )
        forecasts = forecast_budget(connection, actor, period.account, at=now)
    asked = {line.asset: line.asked for line in period.lines}
    return Outlook(
        lines=tuple(OutlookLine(asset, amount, found.get(asset)) for asset, amount in asked.items()),
        availability_percent=percent,
        project=projects[request.project_id].by_asset,
        organisation=organisation,
        list_price_vnd=price_of(asked, prices),
        months=months,
        forecasts=tuple(forecasts),
        clusters=tuple(clusters),
    )


def price_list_of(services: Services) -> PriceList | None:
    """The prices in force; None when there are none."""
    try:
        return services.price_list.get()
    except NoPriceList:
        return None


def price_of(lines: Mapping[Asset, int], prices: PriceList | None) -> int | None:
    """What it is worth at list prices, đồng included; None where something has no price."""
    resources = of_ledger(lines)
    money = resources.pop(VND, 0)
    resources.pop(STORAGE, None)  # has no price
    if not resources:
        return money
    if prices is None:
        return None
    try:
        return money + price(resources, "", prices).total
    except (UnpricedResource, InvalidAmount):
        return None


def _projects_of(connection: Connection, organisation_id: UUID) -> list[UUID]:
    return list(
        connection.scalars(select(col(Project.id)).where(col(Project.organisation_id) == organisation_id))
    )
