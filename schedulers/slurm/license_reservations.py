"""Reservations of licences in Slurm, as `scontrol` is told of them and shows them; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from schedulers.set_aside_licenses import SetAside

OUTSIDE_RESERVATION = "hpc-portal-outside"
_KEPT_PREFIX = "hpc-portal-kept-"
OUTSIDE_MINUTES = 60
"""A portal that is gone for so long keeps nothing from anybody because of others."""
KEPT_MINUTES = 365 * 24 * 60
"""Kept without the portal, too; Slurm's `Duration=UNLIMITED` is as long, and cannot be prolonged."""


@dataclass(frozen=True, slots=True)
class LicenseReservation:
    """One reservation of no node."""

    name: str
    licenses: Mapping[str, int]
    minutes: int
    """From now on, however often it is told again."""
    whose: tuple[str, ...]
    """Words of `scontrol` at its creation: who may use it, and how."""
    again: tuple[str, ...] = ()
    """Words whenever it is told again."""


def reservations_for(aside: SetAside) -> dict[str, LicenseReservation]:
    """By name.

    A magnetic one takes in the jobs of its account, which need not name it. A flexible one has them at any
    length: else Slurm would end them with their reservation.
    """
    found = [
        LicenseReservation(
            f"{_KEPT_PREFIX}{account}",
            licenses,
            KEPT_MINUTES,
            whose=(f"Accounts={account}", "Flags=ANY_NODES,MAGNETIC,FLEX"),
            again=("Flags+=MAGNETIC",),
        )
        for account, licenses in sorted(aside.kept.items())
    ]
    if aside.outside:
        whose = ("Users=root", "Flags=ANY_NODES")
        found.append(LicenseReservation(OUTSIDE_RESERVATION, aside.outside, OUTSIDE_MINUTES, whose))
    return {one.name: one for one in found}


def is_the_portals(name: str) -> bool:
    """Whether the portal made it; no job should name it."""
    return name == OUTSIDE_RESERVATION or name.startswith(_KEPT_PREFIX)


def read_reservations(shown: str) -> dict[str, dict[str, int]]:
    """The portal's own in `scontrol --oneliner show reservation`: by name, the licences of each."""
    found = {}
    for line in shown.splitlines():
        facts = dict(word.partition("=")[::2] for word in line.split())
        name = facts.get("ReservationName", "")
        if is_the_portals(name):
            found[name] = read_licenses(facts.get("Licenses", ""))
    return found


def read_licenses(text: str) -> dict[str, int]:
    """`vcs:2,primetime:1` by feature."""
    pairs = [part.rpartition(":") for part in text.split(",")]
    return {feature: int(count) for feature, _, count in pairs if count.isdecimal()}


def write_licenses(licenses: Mapping[str, int]) -> str:
    """As `Licenses=` takes them."""
    return ",".join(f"{feature}:{count}" for feature, count in sorted(licenses.items()))


def lowered(found: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    """What of it stays. Some give first, before others get more: Slurm makes none beyond what it has."""
    least = {feature: min(count, wanted.get(feature, 0)) for feature, count in found.items()}
    return {feature: count for feature, count in least.items() if count}
