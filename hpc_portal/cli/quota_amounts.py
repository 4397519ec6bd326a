"""Amounts and days of requests for quota, as people type and read them."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from hpc_portal.app.notices.say import say_amount
from hpc_portal.app.requests.amounts import AmountFault, NotAnAmount, parse_units
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from schedulers.units import CITY_TIME
from workloads.template import N_

_FAULTS = {
    AmountFault.NO_NUMBER: N_("{text} is no number. Write it as 1500 or 1500.5."),
    AmountFault.TWO_WAYS: N_("{text} can be read in two ways. Write {whole}, or {fraction}."),
    AmountFault.WHOLE_ONLY: N_("Give a whole number, such as 20000000."),
    AmountFault.TOO_FINE: N_("{text} is finer than a second. Use fewer decimals."),
    AmountFault.NOT_POSITIVE: N_("Give a number above zero."),
    AmountFault.TOO_LARGE: N_("{text} is too large. Give at most {most}."),
}


def read_amounts(texts: Iterable[str]) -> dict[str, int]:
    """From `gres/gpu:h100=500 VND=20000000` to what the API takes.

    Raises:
        UsageProblem: one of them is no resource with a number.
    """
    found: dict[str, int] = {}
    for text in texts:
        asset, equals, number = text.partition("=")
        if not equals:
            raise UsageProblem(
                _(
                    "{text} is no amount. Write RESOURCE=HOURS, such as gres/gpu:h100=500, VND=20000000 or "
                    "storage=2048.",
                    text=text,
                )
            )
        found[asset.strip()] = 0 if number.strip() == "0" else _amount(asset.strip(), number)
    return found


def read_missing(texts: Iterable[str]) -> dict[str, int]:
    """From `gres/gpu:h100=6400 VND=5000`, in seconds and đồng as refusals say them.

    Raises:
        UsageProblem: one of them is no resource with a whole number.
    """
    parts = [text.partition("=") for text in texts]
    for asset, equals, amount in parts:
        if not (asset and equals and amount.isdecimal()):
            raise UsageProblem(
                _("{text} is no amount that is missing. Copy it from the refusal.", text=f"{asset}={amount}")
            )
    return {asset: int(amount) for asset, _equals, amount in parts}


def _amount(asset: str, number: str) -> int:
    try:
        return parse_units(asset, number)
    except NotAnAmount as error:
        raise UsageProblem(f"{asset}: {_(_FAULTS[error.fault], **error.facts)}") from None


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
