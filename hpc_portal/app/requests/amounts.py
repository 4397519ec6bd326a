"""Amounts as people ask for them: hours of a resource, đồng, GiB of storage; exact, and pure."""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from hpc_portal.app.errors import Problem
from quotas.amounts import STORAGE, Asset
from quotas.checks import LARGEST_AMOUNT
from quotas.money import VND
from schedulers import tres
from workloads.template import N_

_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024
_WHOLE_VND = 1000
"""Shortages of đồng are rounded up to this."""
_GROUP = 3
"""Digits between two marks of thousands."""
_SHOWN = 40
"""So much of what was entered is repeated."""


def unit_of(asset: Asset) -> int:
    """How much of the stored amount one entered unit is: an hour, a GiB-hour, a đồng, a GiB."""
    if asset in {VND, STORAGE}:
        return 1
    return _SECONDS_PER_HOUR * (_MIB_PER_GIB if asset == tres.MEM else 1)


class AmountFault(StrEnum):
    """Why a text is no amount."""

    NO_NUMBER = "no_number"
    TWO_WAYS = "two_ways"
    """1.500 of hours is either; refused, so that nobody gets a thousandth of what was meant."""
    WHOLE_ONLY = "whole_only"
    TOO_FINE = "too_fine"
    """Finer than the second that the ledger counts in."""
    NOT_POSITIVE = "not_positive"
    TOO_LARGE = "too_large"


class NotAnAmount(ValueError):
    """A text that is no amount of an asset; whoever asked for it says so in their own words."""

    def __init__(self, fault: AmountFault, asset: Asset, text: str) -> None:
        super().__init__(f"{text!r} is no amount of {asset}: {fault}")
        self.fault = fault
        self.facts: dict[str, str | int] = {"text": text.strip()[:_SHOWN]}
        """What the sentences of `problem_of` and those of the terminal mention."""
        match fault:
            case AmountFault.TWO_WAYS:
                whole, fraction = re.split("[.,]", text.strip())
                self.facts |= {
                    "whole": whole + fraction,
                    "fraction": f"{whole},{fraction.rstrip('0') or '0'}",
                }
            case AmountFault.TOO_LARGE:
                self.facts |= {"most": LARGEST_AMOUNT // unit_of(asset)}


_SENTENCES = {
    AmountFault.NO_NUMBER: N_("“%(text)s” is no number. Write it as 1500 or 1.500,5."),
    AmountFault.TWO_WAYS: N_("“%(text)s” can be read in two ways. Write %(whole)s, or %(fraction)s."),
    AmountFault.WHOLE_ONLY: N_("Enter a whole number, such as 20000000 or 20.000.000."),
    AmountFault.TOO_FINE: N_("“%(text)s” is finer than a second. Use fewer decimals."),
    AmountFault.NOT_POSITIVE: N_("Enter a number above zero."),
    AmountFault.TOO_LARGE: N_("“%(text)s” is too large. Enter at most %(most)s."),
}


def problem_of(error: NotAnAmount, field: str) -> Problem:
    """What to tell whoever entered it into this field."""
    return Problem(field, _SENTENCES[error.fault], error.facts)


def parse_units(asset: Asset, text: str) -> int:
    """From `1.500,5`, `1500.5` or `20000000` to the stored amount.

    Groups of three digits behind a dot, comma or space are groups, except behind a single dot or comma of a
    resource, where 1.500 could mean either.

    Raises:
        NotAnAmount: it says why.
    """
    unit = unit_of(asset)
    number = _decimal(asset, text)
    amount = number * unit
    if number <= 0:
        raise NotAnAmount(AmountFault.NOT_POSITIVE, asset, text)
    if amount > LARGEST_AMOUNT:
        raise NotAnAmount(AmountFault.TOO_LARGE, asset, text)
    if amount != int(amount):
        raise NotAnAmount(AmountFault.TOO_FINE, asset, text)
    return int(amount)


def as_units(asset: Asset, amount: int) -> str:
    """The number to put into a field, with a dot for decimals: `parse_units` reads it back exactly."""
    whole, rest = divmod(amount, unit_of(asset))
    if not rest:
        return str(whole)
    text = f"{Decimal(amount) / unit_of(asset):.6f}".rstrip("0").ljust(len(str(whole)) + 5, "0")
    return text if Decimal(text) * unit_of(asset) == amount else str(whole + 1)


def round_up(asset: Asset, amount: int) -> int:
    """The next whole hour, or thousand đồng: what to ask for when so much is missing."""
    step = _WHOLE_VND if asset == VND else unit_of(asset)
    return int((Decimal(max(amount, 1)) / step).to_integral_value(ROUND_CEILING)) * step


def of_ledger(lines: Mapping[Asset, int]) -> dict[Asset, int]:
    """Those lines that the ledger can book: what is not zero."""
    return {asset: amount for asset, amount in lines.items() if amount}


def _decimal(asset: Asset, text: str) -> Decimal:
    plain = text.strip().replace("\N{NO-BREAK SPACE}", "").replace(" ", "").removesuffix("₫")
    digits = plain.removeprefix("-").removeprefix("\N{MINUS SIGN}")
    if not digits.isascii() or not digits.replace(".", "").replace(",", "").isdigit():
        raise NotAnAmount(AmountFault.NO_NUMBER, asset, text)
    if digits != plain:
        raise NotAnAmount(AmountFault.NOT_POSITIVE, asset, text)
    whole, fraction = _parts(asset, text, plain)
    if fraction and unit_of(asset) == 1:
        raise NotAnAmount(AmountFault.WHOLE_ONLY, asset, text)
    return Decimal(f"{whole}.{fraction or 0}")


def _parts(asset: Asset, text: str, plain: str) -> tuple[str, str]:
    """The digits before and behind the decimal mark."""
    marks = [mark for mark in plain if mark in ".,"]
    if not marks:
        return plain, ""
    last = marks[-1]
    is_fraction = marks.count(last) == 1
    head, _, tail = plain.rpartition(last)
    if len(marks) == 1 and tail and head:
        if len(tail) != _GROUP:
            return head, tail
        if unit_of(asset) == 1 and _are_groups(plain, last):
            return head + tail, ""
        if head.strip("0"):
            raise NotAnAmount(AmountFault.TWO_WAYS, asset, text)
        return head, tail
    if len(set(marks)) == 1 and _are_groups(plain, last):
        return plain.replace(last, ""), ""
    if len(set(marks)) == 2 and is_fraction and tail and _are_groups(head, marks[0]):  # noqa: PLR2004 - both
        return head.replace(marks[0], ""), tail
    raise NotAnAmount(AmountFault.NO_NUMBER, asset, text)


def _are_groups(text: str, mark: str) -> bool:
    first, *rest = text.split(mark)
    return 1 <= len(first) <= _GROUP and all(len(part) == _GROUP for part in rest)
