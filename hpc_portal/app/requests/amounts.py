"""Amounts as people ask for them: hours of a resource, đồng, GiB of storage; exact, and pure."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from quotas.amounts import STORAGE, Asset
from quotas.checks import LARGEST_AMOUNT
from quotas.money import VND
from schedulers import tres

_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024
_WHOLE_VND = 1000
"""Shortages of đồng are rounded up to this."""


def unit_of(asset: Asset) -> int:
    """How much of the stored amount one entered unit is: an hour, a GiB-hour, a đồng, a GiB."""
    if asset in {VND, STORAGE}:
        return 1
    return _SECONDS_PER_HOUR * (_MIB_PER_GIB if asset == tres.MEM else 1)


def parse_units(asset: Asset, text: str) -> int | None:
    """From `1.500,5`, `1500.5` or `20000000` to the stored amount; None for what is no such number.

    Groups of three digits behind a dot, comma or space are groups, except behind a single dot or comma of a
    resource, where 1.500 could mean either: there it is refused, so that nobody gets a thousandth.
    """
    number = _decimal(text, may_have_fraction=unit_of(asset) > 1)
    if number is None or not 0 < number <= LARGEST_AMOUNT:
        return None
    amount = number * unit_of(asset)
    return int(amount) if amount == int(amount) and amount <= LARGEST_AMOUNT else None


def as_units(asset: Asset, amount: int) -> str:
    """The number to put into a field, with a dot for decimals: `parse_units` reads it back exactly."""
    whole, rest = divmod(amount, unit_of(asset))
    if not rest:
        return str(whole)
    text = f"{Decimal(amount) / unit_of(asset):.6f}".rstrip("0").ljust(len(str(whole)) + 5, "0")
    return text if parse_units(asset, text) == amount else str(whole + 1)


def round_up(asset: Asset, amount: int) -> int:
    """The next whole hour, or thousand đồng: what to ask for when so much is missing."""
    step = _WHOLE_VND if asset == VND else unit_of(asset)
    return int((Decimal(max(amount, 1)) / step).to_integral_value(ROUND_CEILING)) * step


def of_ledger(lines: Mapping[Asset, int]) -> dict[Asset, int]:
    """Those lines that the ledger can book: what is not zero."""
    return {asset: amount for asset, amount in lines.items() if amount}


def _decimal(text: str, *, may_have_fraction: bool) -> Decimal | None:
    plain = text.strip().replace("\N{NO-BREAK SPACE}", "").replace(" ", "").removesuffix("₫")
    if not plain.isascii() or not plain.replace(".", "").replace(",", "").isdigit():
        return None
    marks = [mark for mark in plain if mark in ".,"]
    if len(set(marks)) == 2:  # noqa: PLR2004 - both a group mark and a decimal mark
        group, decimal = (",", ".") if plain.rfind(".") > plain.rfind(",") else (".", ",")
        if plain.count(decimal) > 1 or not _are_groups(plain.partition(decimal)[0], group):
            return None
        plain = plain.replace(group, "").replace(decimal, ".")
    elif len(marks) > 1 or (marks and not may_have_fraction):
        if not _are_groups(plain, marks[0]):
            return None
        plain = plain.replace(marks[0], "")
    elif marks:
        whole, _, fraction = plain.partition(marks[0])
        if not whole or not fraction or (len(fraction) == 3 and whole != "0"):  # noqa: PLR2004 - a group?
            return None
        plain = f"{whole}.{fraction}"
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def _are_groups(text: str, mark: str) -> bool:
    first, *rest = text.split(mark)
    return 1 <= len(first) <= 3 and all(len(part) == 3 for part in rest)  # noqa: PLR2004 - digits of a group
