"""When each asset of a project's budget runs out, at the pace of its last weeks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from hpc_portal.app.actor import Actor
from hpc_portal.app.reports import written
from hpc_portal.app.reports.daily_use import daily_use
from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Named, Table
from hpc_portal.app.reports.forecast import Forecast, forecast
from hpc_portal.app.reports.period import local_day
from hpc_portal.app.reports.phrases import asset_name, say
from hpc_portal.app.reports.scope import find_project, visible_tenants
from quotas.amounts import STORAGE, Asset
from quotas.balance import balance
from quotas.money import VND
from quotas.usage_report import Dimension


@dataclass(frozen=True, slots=True)
class BudgetForecast:
    """One asset of a project."""

    asset: Asset
    granted: int
    left: int
    """Available and held: what jobs may still use."""
    last_day: date
    """The last on which any of it may be used."""
    forecast: Forecast | None
    """None where the history is too short."""


def forecast_budget(
    connection: Connection, actor: Actor, account: str, *, at: datetime
) -> list[BudgetForecast]:
    """Every asset of a project that jobs use up, đồng first.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = find_project(visible_tenants(connection, actor), account)
    today = local_day(at)
    used = daily_use(connection, Dimension.PROJECT, today=today, only=[project]).get(project, {})
    found = balance(connection, project, at)
    last_days: dict[Asset, date] = {}
    for allocation in found.allocations:
        last_day = local_day(allocation.valid_to - timedelta(seconds=1))
        for asset in allocation.by_asset:
            last_days[asset] = max(last_days.get(asset, last_day), last_day)
    assets = sorted(found.by_asset.keys() - {STORAGE}, key=lambda asset: (asset != VND, asset))
    return [
        _forecast_of(
            asset,
            (found.by_asset[asset].granted, found.by_asset[asset].available + found.by_asset[asset].held),
            used.get(asset, {}),
            today,
            last_days[asset],
        )
        for asset in assets
    ]


def _forecast_of(
    asset: Asset, amounts: tuple[int, int], used: Mapping[date, int], today: date, last_day: date
) -> BudgetForecast:
    granted, left = amounts
    found = forecast(used, left=left, today=today, last_day=last_day)
    return BudgetForecast(asset, granted, left, last_day, found)


def forecast_document(account: str, found: Sequence[BudgetForecast], edition: Edition) -> Document:
    """A line for each asset. Pure."""
    language = edition.language
    columns = [
        Column("asset", say("resource", language)),
        Column("unit", say("unit", language), is_for_programs=True),
        Column("left", say("left", language), is_number=True),
        Column("daily", say("daily", language), is_number=True),
        Column("exhausted_on", say("exhausted_on", language)),
        Column("earliest_on", say("earliest_on", language)),
        Column("latest_on", say("latest_on", language)),
        Column("valid_until", say("valid_until", language)),
        Column("unused", say("unused", language), is_number=True),
    ]
    table = Table(
        key="forecast",
        title=say("forecast", language),
        columns=columns,
        rows=[_row(one, language) for one in found],
        note=say("forecast_note", language),
    )
    return Document(
        key=f"forecast-{account}",
        edition=edition,
        title=say("forecast", language),
        subtitle=f"{say('project', language)} {account}, {written.day(local_day(edition.made_at), language)}",
        facts=[],
        tables=[table],
    )


def _row(one: BudgetForecast, language: str) -> list[Cell]:
    head: list[Cell] = [Named(one.asset, asset_name(one.asset, language)), Amount(one.asset, 0).unit]
    left = Amount(one.asset, one.left)
    if one.forecast is None:
        return [*head, left, None, Named("", say("too_short", language)), None, None, one.last_day, None]
    found = one.forecast
    lasts = Named("", say("lasts", language))
    return [
        *head,
        left,
        Amount(one.asset, found.daily),
        found.exhausted_on or lasts,
        found.earliest_on or lasts,
        found.latest_on or lasts,
        one.last_day,
        Amount(one.asset, found.unused.middle),
    ]
