"""What everybody may see: closed months, summed up so that no few organisations can be told apart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.reports.document import Share
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.suppress import LEAST, suppress
from hpc_portal.app.reports.utilisation import Grain, Supplied, utilisation
from quotas.periods import closed_months, next_month
from quotas.tables import Organisation, OrganisationKind
from quotas.usage_report import Dimension, Usage, usage_totals
from schedulers import tres

MOST_MONTHS = 36
"""Shown, the newest first."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What may be said of some organisations together; None: not to be told."""

    organisations: int | None
    gpu_seconds: int | None
    runs: int | None
    mean_wait_seconds: int | None
    """How long a run waited to start, on the mean."""


@dataclass(frozen=True, slots=True)
class OpenMonth:
    """One closed month."""

    month: date
    whole: Figures
    by_sector: Mapping[OrganisationKind, Figures]
    """Sectors that have organisations at all."""
    gpu_capacity_seconds: int
    """Installed, as far as it was observed; the city's own, and so no secret of any organisation."""
    gpu_availability: Share
    node_availability: Share
    gpu_utilisation: Share | None
    """None where it would tell what fewer than five organisations used; likewise below."""
    cpu_utilisation: Share | None


def open_data(connection: Connection) -> list[OpenMonth]:
    """Every closed month, the newest first. Reads roll-ups that never change again."""
    months = sorted((one.month for one in closed_months(connection)), reverse=True)[:MOST_MONTHS]
    if not months:
        return []
    kinds = _kinds(connection)
    used = _used(connection, months[-1], next_month(months[0]))
    supplied = _supplied(connection, Period(months[-1], next_month(months[0]) - timedelta(days=1)))
    return [_month(month, used.get(month, {}), kinds, supplied.get(month, {})) for month in months]


def _kinds(connection: Connection) -> dict[UUID, OrganisationKind]:
    rows = connection.execute(select(col(Organisation.id), col(Organisation.kind)))
    return {row.id: row.kind for row in rows}


def _used(connection: Connection, since: date, until: date) -> dict[date, dict[UUID, Usage]]:
    """By month and organisation."""
    found: dict[date, dict[UUID, Usage]] = defaultdict(dict)
    for one in usage_totals(
        connection, by=[Dimension.MONTH, Dimension.ORGANISATION], since=since, until=until
    ):
        found[one.of[Dimension.MONTH]][one.of[Dimension.ORGANISATION]] = one.usage
    return found


def _supplied(connection: Connection, period: Period) -> dict[date, dict[str, Supplied]]:
    """By month and resource, all clusters together."""
    found: dict[date, dict[str, Supplied]] = defaultdict(dict)
    for one in utilisation(connection, period, Grain.MONTH):
        if one.asset in {tres.GPU, tres.CPU, tres.NODE}:
            before = found[one.first].get(one.asset)
            found[one.first][one.asset] = one if before is None else _sum(before, one)
    return found


def _sum(one: Supplied, other: Supplied) -> Supplied:
    return Supplied(
        one.first,
        "",
        one.asset,
        one.days + other.days,
        one.observed_seconds + other.observed_seconds,
        one.capacity + other.capacity,
        one.available + other.available,
        one.allocated + other.allocated,
    )


def _month(
    month: date,
    used: Mapping[UUID, Usage],
    kinds: Mapping[UUID, OrganisationKind],
    supplied: Mapping[str, Supplied],
) -> OpenMonth:
    sectors = {kind: [used[one] for one in used if kinds.get(one) is kind] for kind in set(kinds.values())}
    gpus = suppress({kind: _count(some, "gpu_seconds") for kind, some in sectors.items()})
    runs = suppress({kind: _count(some, "runs") for kind, some in sectors.items()})
    waits = suppress({kind: _count(some, "waited_runs") for kind, some in sectors.items()})
    everybody = [usage for some in sectors.values() for usage in some]
    none = Supplied(month, "", "", 0, 0, 0, 0, 0)
    gpu, cpu, node = (supplied.get(asset, none) for asset in (tres.GPU, tres.CPU, tres.NODE))
    return OpenMonth(
        month=month,
        whole=_figures(everybody, gpus=gpus.total, runs=runs.total, waits=runs.total and waits.total),
        by_sector={
            kind: _figures(
                some,
                gpus=kind in gpus.cells,
                runs=kind in runs.cells,
                waits=kind in runs.cells & waits.cells,
            )
            for kind, some in sorted(sectors.items())
        },
        gpu_capacity_seconds=gpu.capacity,
        gpu_availability=gpu.availability,
        node_availability=node.availability,
        gpu_utilisation=gpu.utilisation if gpus.total else None,
        cpu_utilisation=cpu.utilisation if _count(everybody, "cpu_seconds") >= LEAST else None,
    )


def _count(some: Iterable[Usage], measure: str) -> int:
    """How many organisations contribute to a measure."""
    return sum(getattr(usage, measure) > 0 for usage in some)


def _figures(some: Sequence[Usage], *, gpus: bool, runs: bool, waits: bool) -> Figures:
    """A mean wait times the runs is a sum, too: it is told only where both may be."""
    waited = sum(usage.waited_runs for usage in some)
    return Figures(
        organisations=_count(some, "runs") if runs else None,
        gpu_seconds=sum(usage.gpu_seconds for usage in some) if gpus else None,
        runs=sum(usage.runs for usage in some) if runs else None,
        mean_wait_seconds=sum(usage.waited_seconds for usage in some) // waited if waits else None,
    )
