"""Which amounts make sense at the door of the ledger; what is refused here changes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime

from quotas.amounts import STORAGE, Asset
from quotas.errors import InvalidAmount
from quotas.money import VND
from schedulers import tres
from schedulers.errors import InvalidJobSpec

LARGEST_AMOUNT = 10**17
"""Far beyond any cluster's century; sums of a few dozen still fit into 64 bits."""

LONGEST_ASSET_NAME = 80
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def require_amounts(amounts: Mapping[Asset, int], *, allow_vnd: bool) -> None:
    """Refuse what is no amount of an asset; with `allow_vnd`, also what only grants have: money and storage.

    Raises:
        InvalidAmount: an unknown name, a negative or huge amount, or one that is no whole number.
    """
    for asset, amount in amounts.items():
        if not (_is_tres(asset) or (allow_vnd and asset in {VND, STORAGE})):
            raise InvalidAmount(asset, "is nothing that can be granted or held")
        require_whole(asset, amount)


def require_positive(lines: Mapping[Asset, int]) -> None:
    """Refuse what is no amount to be moved.

    Raises:
        InvalidAmount: no line, an unknown asset, or an amount that is not above zero.
    """
    require_amounts(lines, allow_vnd=True)
    if not lines:
        raise InvalidAmount("lines", "give at least one amount")
    for asset, amount in lines.items():
        if not amount:
            raise InvalidAmount(asset, "must be above zero")


def require_whole(field: str, amount: int, *, least: int = 0, most: int = LARGEST_AMOUNT) -> None:
    """Refuse a number outside its range, and one that is not whole even if a caller's types lie.

    Raises:
        InvalidAmount: it is.
    """
    if type(amount) is not int:
        raise InvalidAmount(field, "%(value)s is not a whole number", value=repr(amount))
    if not least <= amount <= most:
        raise InvalidAmount(
            field,
            "must be between %(least)s and %(most)s, not %(value)s",
            least=least,
            most=most,
            value=amount,
        )


def require_instant(field: str, instant: datetime) -> None:
    """Refuse an instant that nobody means: without a time zone, or centuries away.

    (A calendar ends in the year 9999: what is near it cannot be told in local time.)

    Raises:
        InvalidAmount: it is.
    """
    if instant.tzinfo is None:
        raise InvalidAmount(field, "give the time zone, too")
    if not _EARLIEST <= instant < _LATEST:
        raise InvalidAmount(
            field,
            "must be from %(least)s on and before %(most)s",
            least=_EARLIEST.year,
            most=_LATEST.year,
        )


def _is_tres(name: str) -> bool:
    try:
        tres.require_tres(name)
    except InvalidJobSpec:
        return False
    return len(name) <= LONGEST_ASSET_NAME
