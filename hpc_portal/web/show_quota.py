"""A project's budget in the words of the quota page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.web.language import Language
from hpc_portal.web.show_storage import ShownStorage
from quotas.amounts import BYTES_PER_GIB, STORAGE
from quotas.balance import AssetBalance, Balance
from quotas.money import VND
from schedulers.tres import Tres
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One asset of a project, as text and as a share."""

    label: str
    granted: str
    held: str
    used: str
    available: str
    percent: int


@dataclass(frozen=True, slots=True)
class ShownProject:
    """A project with its budget."""

    account: str
    name: str
    organisation: str
    until: datetime | None
    lines: tuple[BudgetLine, ...]
    stored: ShownStorage


def show_lines(balance: Balance, language: Language) -> tuple[BudgetLine, ...]:
    """Every asset that jobs use up, đồng first; storage has words of its own, see show_storage.py."""
    assets = sorted(balance.by_asset.items(), key=lambda item: (item[0] != VND, item[0]))
    return tuple(_line(asset, amounts, language) for asset, amounts in assets if asset != STORAGE)


def last_day(balance: Balance) -> datetime | None:
    """When the last of its allocations ends."""
    return max((allocation.valid_to for allocation in balance.allocations), default=None)


def show_asset(asset: Tres, amount: int, language: Language) -> str:
    """An amount of an asset of the ledger: đồng, GiB, or hours of a resource."""
    if asset == STORAGE:
        return language.gib(amount * BYTES_PER_GIB)
    return language.vnd(amount) if asset == VND else language.resource_hours(asset, amount)


def asset_label(asset: Tres, language: Language) -> str:
    """What an asset is called."""
    if asset == STORAGE:
        return language.gettext(N_("Storage"))
    return "VND" if asset == VND else language.resource(asset)


def total_vnd(balances: Iterable[Balance]) -> AssetBalance:
    """The đồng of several projects together."""
    total = AssetBalance()
    for balance in balances:
        total += balance.by_asset.get(VND, AssetBalance())
    return total


def share_percent(amounts: AssetBalance) -> int:
    """How much of a grant is used or held, in whole percent, rounded down; 0 when nothing was granted."""
    if amounts.granted <= 0:
        return 0
    return min(100, max(0, 100 * (amounts.held + amounts.consumed) // amounts.granted))


def _line(asset: Tres, amounts: AssetBalance, language: Language) -> BudgetLine:
    def show(amount: int) -> str:
        return show_asset(asset, amount, language)

    return BudgetLine(
        label=asset_label(asset, language),
        granted=show(amounts.granted),
        held=show(amounts.held),
        used=show(amounts.consumed),
        available=show(amounts.available),
        percent=share_percent(amounts),
    )
