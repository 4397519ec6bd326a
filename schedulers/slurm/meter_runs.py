"""What slurmdbd accounts for one attempt as the usage that is charged; pure."""

import re
from collections.abc import Iterable

from schedulers import tres
from schedulers.errors import InvalidJobSpec
from schedulers.jobstate import JobUsage
from schedulers.slurm.wire_accounting import AccountedJob, WireTres

_BYTES_PER_MIB = 1024 * 1024
_NOT_CHARGED = frozenset({"billing", "energy"})
_TYPED_GPU = re.compile(rf"^{tres.GPU}:(.+)$")


def meter_run(job: AccountedJob) -> JobUsage | None:
    """What an attempt used, in whole seconds as Slurm counts them; None while its end is not recorded.

    A run that started held what it was given, if only for a moment: it counts a second at least.
    """
    if job.time.end is None:
        return None
    if job.time.start is None:
        return JobUsage(started_at=None, ended_at=job.time.end, elapsed_seconds=0, allocated_tres={})
    return JobUsage(
        started_at=job.time.start,
        ended_at=job.time.end,
        elapsed_seconds=max(1, job.time.elapsed),
        allocated_tres=read_tres(job.tres.allocated),
        cpu_seconds=sum(step.time.total_seconds for step in job.steps),
        max_rss_mib=max((_memory_mib(step.tres.used.max) for step in job.steps), default=0),
        energy_joules=_energy(job),
    )


def read_tres(amounts: Iterable[WireTres]) -> dict[tres.Tres, int]:
    """Amounts by name; what the portal cannot price (billing, energy, other GRES) is left out.

    Where Slurm tracks GPUs only by type, their sum is added, as everywhere in the portal.
    """
    found: dict[tres.Tres, int] = {}
    for amount in amounts:
        name = f"{amount.type}/{amount.name}" if amount.name else amount.type
        if amount.count > 0 and name not in _NOT_CHARGED and _is_known(name):
            found[name] = amount.count
    typed = sum(count for name, count in found.items() if _TYPED_GPU.match(name))
    if typed:
        found.setdefault(tres.GPU, typed)
    return found


def _is_known(name: str) -> bool:
    try:
        tres.require_tres(name)
    except InvalidJobSpec:
        return False
    return True


def _memory_mib(amounts: Iterable[WireTres]) -> int:
    return max((-(-amount.count // _BYTES_PER_MIB) for amount in amounts if amount.type == "mem"), default=0)


def _energy(job: AccountedJob) -> int | None:
    """Summed over the steps; Slurm's 0 means that nobody measured."""
    measured = [step.energy_joules for step in job.steps if isinstance(step.energy_joules, int)]
    return sum(measured) or None
