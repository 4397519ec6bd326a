"""How much of the clusters was given to jobs, and how much of them was up: from what was observed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection, func, select

from hpc_portal.app.reports.document import Amount, Column, Document, Edition, Month, Named, Share, Table
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.phrases import asset_name, say
from hpc_portal.app.reports.tables import ClusterDay
from hpc_portal.app.reports.usage_document import days_text
from quotas.tables import table_of
from schedulers import tres
from schedulers.tres import Tres

_DAYS = table_of(ClusterDay)
_SECONDS_PER_DAY = 86_400


class Grain(StrEnum):
    """How finely time is told apart."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Supplied:
    """One resource of one cluster over a day or month."""

    first: date
    """The day, or the first of the month."""
    cluster: str
    asset: Tres
    days: int
    """On which something was observed."""
    observed_seconds: int
    capacity: int
    available: int
    allocated: int

    @property
    def utilisation(self) -> Share:
        """Of what is installed, what jobs had."""
        return Share(self.allocated, self.capacity)

    @property
    def availability(self) -> Share:
        """Of what is installed, what was up."""
        return Share(self.available, self.capacity)

    @property
    def observed(self) -> Share:
        """Of those days, how much was observed at all."""
        return Share(self.observed_seconds, self.days * _SECONDS_PER_DAY)


def utilisation(connection: Connection, period: Period, grain: Grain, cluster: str = "") -> list[Supplied]:
    """Every resource of every cluster (or one), in the order of time; what was not observed is not there."""
    statement = (
        select(_DAYS).where(_DAYS.c.day >= period.since, _DAYS.c.day < period.until).order_by(_DAYS.c.day)
    )
    if cluster:
        statement = statement.where(_DAYS.c.cluster == cluster)
    found: dict[tuple[date, str, Tres], Supplied] = {}
    for row in connection.execute(statement):
        first = row.day if grain is Grain.DAY else row.day.replace(day=1)
        key = (first, row.cluster, row.asset)
        before = found.get(key, Supplied(*key, 0, 0, 0, 0, 0))
        found[key] = Supplied(
            *key,
            before.days + 1,
            before.observed_seconds + row.observed_seconds,
            before.capacity + row.capacity,
            before.available + row.available,
            before.allocated + row.allocated,
        )
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1], _rank(key[2])))]


def first_observed(connection: Connection) -> date | None:
    """The first day of which anything is known."""
    found: date | None = connection.execute(select(func.min(_DAYS.c.day))).scalar()
    return found


def utilisation_document(
    found: Sequence[Supplied], period: Period, grain: Grain, edition: Edition
) -> Document:
    """A line for each resource, cluster and day or month. Pure."""
    language = edition.language
    columns = [
        Column(grain.value, say(grain.value, language)),
        Column("cluster", say("cluster", language)),
        Column("asset", say("resource", language)),
        Column("unit", say("unit", language), is_for_programs=True),
        *(
            Column(key, say(phrase, language), is_number=True)
            for key, phrase in (
                ("capacity", "capacity"),
                ("available", "available"),
                ("allocated", "allocated"),
                ("utilisation", "utilisation_share"),
                ("availability", "availability"),
                ("observed", "observed"),
            )
        ),
    ]
    rows = [
        [
            one.first if grain is Grain.DAY else Month(one.first),
            one.cluster,
            Named(one.asset, asset_name(one.asset, language)),
            Amount(one.asset, one.capacity).unit,
            *(Amount(one.asset, amount) for amount in (one.capacity, one.available, one.allocated)),
            *(one.utilisation, one.availability, one.observed),
        ]
        for one in found
    ]
    table = Table(
        "utilisation", say("utilisation", language), columns, rows, note=say("utilisation_note", language)
    )
    return Document(
        key=f"utilisation-{period.since}-{period.last}",
        edition=edition,
        title=say("utilisation", language),
        subtitle=days_text(period, language),
        facts=[],
        tables=[table],
    )


def _rank(asset: Tres) -> tuple[int, str]:
    """GPUs first, licences last."""
    order = (tres.GPU, tres.CPU, tres.MEM, tres.NODE)
    plain = asset.partition(":")[0]
    return (order.index(plain) if plain in order else len(order)), asset
