"""Which resources an allocation can pay for: those that it has a line for or, with money, all of them."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from quotas.amounts import Asset
from quotas.money import VND
from schedulers import tres
from schedulers.tres import Tres

_NOT_DEMANDED = frozenset({tres.MEM, tres.NODE, "billing", VND})
"""Used by every job; an allocation limits them only where it has a line for them."""


def uncovered(amounts: Mapping[Asset, int], assets: AbstractSet[Asset]) -> Tres | None:
    """The scarcest of these resources that lines for `assets` cannot pay for; None when they pay for all."""
    return next((name for name in demanded(amounts) if not _is_covered(name, assets)), None)


def demanded(amounts: Mapping[Asset, int]) -> list[Tres]:
    """What must be covered, the scarcest first: GPUs, licences, CPUs. Never empty: every job has CPUs."""
    names = (
        name
        for name, amount in amounts.items()
        if amount and name not in _NOT_DEMANDED and not _is_told_by_type(name, amounts)
    )
    return sorted(names, key=lambda name: (name == tres.CPU, name == tres.GPU, name)) or [tres.CPU]


def _is_told_by_type(name: Tres, amounts: Mapping[Asset, int]) -> bool:
    """Whether it is GPUs of any type, all of which are named by their types, too."""
    typed = sum(amount for key, amount in amounts.items() if key.startswith(f"{tres.GPU}:"))
    return name == tres.GPU and amounts[name] <= typed


def _is_covered(name: Tres, assets: AbstractSet[Asset]) -> bool:
    if VND in assets or name in assets:
        return True
    return name.startswith(f"{tres.GPU}:") and tres.GPU in assets
