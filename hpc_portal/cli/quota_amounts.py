"""Amounts and days of requests for quota, as people type and read them."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from hpc_portal.app.notices.say import say_amount
from hpc_portal.app.requests.amounts import parse_units
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from schedulers.units import CITY_TIME


def read_amounts(texts: Iterable[str]) -> dict[str, int]:
    """From `gres/gpu:h100=500 VND=20000000` to what the API takes.

    Raises:
        UsageProblem: one of them is no resource with a number.
    """
    found: dict[str, int] = {}
    for text in texts:
        asset, equals, number = text.partition("=")
        amount = parse_units(asset.strip(), number) if equals else None
        if amount is None and number.strip() != "0":
            raise UsageProblem(
                _(
                    "{text} is no amount. Write RESOURCE=HOURS, such as gres/gpu:h100=500, VND=20000000 or "
                    "storage=2048.",
                    text=text,
                )
            )
        found[asset.strip()] = amount or 0
    return found


def read_reasons(texts: Iterable[str]) -> dict[str, str]:
    """From `gres/gpu:h100=90 epochs of 4 hours` to a reason for each resource.

    Raises:
        UsageProblem: one of them names no resource.
    """
    parts = [text.partition("=") for text in texts]
    for asset, equals, reason in parts:
        if not (asset and equals and reason.strip()):
            raise UsageProblem(_("{text} is no reason. Write RESOURCE=TEXT.", text=asset))
    return {asset.strip(): reason.strip() for asset, _equals, reason in parts}


def first_instant(day: str) -> str | None:
    """Midnight of the city's day; None for no day.

    Raises:
        UsageProblem: it is no day.
    """
    return _midnight(_day(day)) if day else None


def end_instant(day: str) -> str | None:
    """The end of that day; None for no day.

    Raises:
        UsageProblem: it is no day.
    """
    return _midnight(_day(day) + timedelta(days=1)) if day else None


def show_amounts(lines: Iterable[Mapping[str, Any]], part: str = "asked") -> str:
    """All lines of a request in words."""
    shown = [say_amount(line["asset"], line[part], active()) for line in lines if line[part] is not None]
    return ", ".join(shown)


def show_day(instant: str) -> str:
    """The city's day."""
    return datetime.fromisoformat(instant).astimezone(CITY_TIME).strftime("%Y-%m-%d")


def show_last_day(instant: str) -> str:
    """The last day of a period that ends then."""
    last = datetime.fromisoformat(instant) - timedelta(microseconds=1)
    return last.astimezone(CITY_TIME).strftime("%Y-%m-%d")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageProblem(_("{text} is no day. Write it as 2026-12-31.", text=text)) from None


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), tzinfo=CITY_TIME).isoformat()
