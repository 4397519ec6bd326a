"""The prices: in force, to come and past, on any day, and who is subsidised, for everybody who signs in."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.permissions import Action
from hpc_portal.app.prices import queries
from hpc_portal.app.prices.history import PastVersion, in_force_at, price_history
from hpc_portal.app.reports import written
from hpc_portal.app.reports.period import parse_day
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_prices import (
    STANDINGS,
    ChangeRow,
    PriceRow,
    show_changes,
    show_items,
    show_lists,
    show_rules,
)
from hpc_portal.web.words import Word
from schedulers.units import CITY_TIME

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One version in its place in time."""

    version: int
    standing: Word
    valid_from: datetime
    until: datetime | None
    replaced: int | None
    changes: tuple[ChangeRow, ...]
    prices: tuple[PriceRow, ...]


@router.get("/prices")
def show(
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    on: str = "",
    version: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
) -> Response:
    """Every published list, the one of a day or version if asked for, and the subsidies of the reader."""
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    day = parse_day(on, "on")
    with services.engine.connect() as connection:
        past = price_history(connection, now)
        rules = queries.subsidy_rules(connection, actor, now)
    lists = [one.published for one in past]
    of_day = in_force_at(lists, min(_end_of(day), now) if day else now)
    wanted = of_day.version if day and of_day else version
    history = [_row(one, language) for one in past]
    facts = {
        "lists": show_lists(lists, language),
        "history": history,
        "day": day,
        "day_text": written.day(day, language.code) if day else "",
        "chosen": next((row for row in history if row.version == wanted), None),
        "rules": [rule for rule in show_rules(rules, language) if not rule.is_over],
        "administers": permissions.may(actor, Action.AUDIT),
    }
    return pages.render(request, "prices/prices.html", facts)


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), CITY_TIME) + timedelta(days=1, microseconds=-1)


def _row(one: PastVersion, language: Language) -> HistoryRow:
    return HistoryRow(
        version=one.published.version,
        standing=STANDINGS[one.published.standing],
        valid_from=one.published.valid_from,
        until=one.until,
        replaced=one.replaced,
        changes=show_changes(one.changes, language) if one.replaced is not None else (),
        prices=show_items(one.published.items, language),
    )
