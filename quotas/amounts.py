"""Amounts of an asset, and how people read them: GPU-hours, CPU-hours, licence-hours, đồng."""

from typing import TypeAlias

from quotas.money import VND, divide_half_up, format_vnd
from schedulers import tres

Asset: TypeAlias = str
"""What is granted: a TRES, counted in TRES-seconds, or VND."""

_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024


def format_amount(asset: str, amount: int) -> str:
    """`96 GPU-hours (h100)`, `1.5 CPU-hours`, `12 licence-hours (vcs)`, `1.250.000 ₫`."""
    if asset == VND:
        return format_vnd(amount)
    name, detail = _hours_of(asset)
    per_hour = _SECONDS_PER_HOUR * (_MIB_PER_GIB if asset == tres.MEM else 1)
    hours = f"{_decimal(divide_half_up(100 * amount, per_hour))} {name}-hours"
    return f"{hours} ({detail})" if detail else hours


def _hours_of(asset: str) -> tuple[str, str]:
    if asset == tres.CPU:
        return "CPU", ""
    if asset == tres.MEM:
        return "GiB", ""
    if asset.startswith(tres.GPU):
        return "GPU", asset.removeprefix(tres.GPU).removeprefix(":")
    if asset.startswith("license/"):
        return "licence", asset.removeprefix("license/")
    return asset, ""


def _decimal(hundredths: int) -> str:
    whole, rest = divmod(abs(hundredths), 100)
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{whole}.{rest:02}".rstrip("0").rstrip(".")
