"""Trackable resources (TRES): the names Slurm accounts by, and amounts of them.

`cpu`, `mem` (MiB), `node`, `gres/gpu`, `gres/gpu:<type>`, `license/<feature>`, `billing`.
A job that holds typed GPUs counts in both `gres/gpu` and `gres/gpu:<type>`, as in Slurm.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

from schedulers.errors import InvalidJobSpec

Tres: TypeAlias = str
"""The name of one trackable resource."""

TresAmounts: TypeAlias = Mapping[Tres, int]
"""How much of each resource: counts, and MiB for `mem`. Zero amounts are left out."""

CPU: Tres = "cpu"
MEM: Tres = "mem"
NODE: Tres = "node"
GPU: Tres = "gres/gpu"

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
_TRES = re.compile(rf"^(cpu|mem|node|billing|gres/gpu(:{_NAME})?|license/{_NAME})$")


def gpu_tres(gpu_type: str) -> Tres:
    """`gres/gpu:h100` for "h100"; the untyped `gres/gpu` for ""."""
    return f"{GPU}:{gpu_type}" if gpu_type else GPU


def license_tres(feature: str) -> Tres:
    """`license/vcs` for "vcs"."""
    return f"license/{feature}"


def require_tres(name: str) -> Tres:
    """The name itself, when it is a resource that can be tracked.

    Raises:
        InvalidJobSpec: it is not.
    """
    if not _TRES.match(name):
        raise InvalidJobSpec("tres", "%(name)r is not a trackable resource", name=name)
    return name


def times(amounts: TresAmounts, factor: int) -> dict[Tres, int]:
    """Every amount multiplied: TRES x seconds, or one array task's share x tasks."""
    return {name: amount * factor for name, amount in amounts.items()}


def add(*several: TresAmounts) -> dict[Tres, int]:
    """The sum of amounts, resource by resource."""
    total: dict[Tres, int] = {}
    for amounts in several:
        for name, amount in amounts.items():
            total[name] = total.get(name, 0) + amount
    return total
