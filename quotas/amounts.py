"""Amounts of an asset, and how people read them: GPU-hours, CPU-hours, licence-hours, đồng."""

from typing import TypeAlias

from quotas.money import VND, divide_half_up, format_vnd
from schedulers import tres

Asset: TypeAlias = str
"""What is granted: a TRES, counted in TRES-seconds, VND, or STORAGE."""

STORAGE: Asset = "storage"
"""GiB in a project's workspace: how much may lie there at once. Jobs use nothing of it up (ADR 0041)."""

BYTES_PER_GIB = 2**30

_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024


def format_amount(asset: Asset, amount: int) -> str:
    """`96 GPU-hours (h100)`, `1.5 CPU-hours`, `12 licence-hours (vcs)`, `1.250.000 ₫`; seconds if tiny."""
    if asset == VND:
        return format_vnd(amount)
    if asset == STORAGE:
        return f"{amount} GiB of storage"
    name, detail = _NAMES.get(asset) or _split(asset)
    per_hour = _SECONDS_PER_HOUR * (_MIB_PER_GIB if asset == tres.MEM else 1)
    hundredths = divide_half_up(100 * amount, per_hour)
    if amount and not hundredths:
        text = f"{amount} {'MiB' if asset == tres.MEM else name}-seconds"
    else:
        text = f"{_decimal(hundredths)} {name}-hours"
    return f"{text} ({detail})" if detail else text


_NAMES = {tres.CPU: ("CPU", ""), tres.MEM: ("GiB", ""), tres.GPU: ("GPU", "")}


def format_gib(allocated_bytes: int) -> str:
    """`1536.5`, `0.01`: bytes as GiB, to two decimals, and never nothing where there is something."""
    hundredths = divide_half_up(100 * allocated_bytes, BYTES_PER_GIB)
    return _decimal(max(hundredths, int(allocated_bytes > 0)))


def comfortable_gib(allocated_bytes: int) -> int:
    """What to grant so that four fifths of it are used: below where people are warned."""
    return -(-allocated_bytes * 5 // (4 * BYTES_PER_GIB))


def _split(asset: Asset) -> tuple[str, str]:
    """`("GPU", "h100")` for gres/gpu:h100, `("licence", "vcs")` for license/vcs."""
    kind, _, detail = asset.replace("gres/gpu:", "GPU/").replace("license/", "licence/").partition("/")
    return kind, detail


def _decimal(hundredths: int) -> str:
    whole, rest = divmod(abs(hundredths), 100)
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{whole}.{rest:02}".rstrip("0").rstrip(".")
