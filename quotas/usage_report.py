"""Sums of what was used, by any respect, read from the roll-ups: never from runs."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Table,
    Uuid,
    cast,
    extract,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from quotas.amounts import Asset
from quotas.money import VND
from quotas.tables import table_of
from quotas.usage_tables import Grain, UsageDay, UsageSum
from schedulers import tres


class Dimension(StrEnum):
    """A respect in which use is told apart; the value's type is given."""

    DAY = "day"
    """`date`."""
    MONTH = "month"
    """`date`, the first."""
    ORGANISATION = "organisation"
    """UUID."""
    PROJECT = "project"
    """UUID."""
    ALLOCATION = "allocation"
    """UUID."""
    USER = "user"
    """UUID."""
    CLUSTER = "cluster"
    PARTITION = "partition"
    WORKLOAD = "workload"
    """The template's name; "" for none."""
    STATE = "state"
    """JobState, as text."""
    GPU_TYPE = "gpu_type"
    """"" without GPUs, "untyped", a type, or several joined with "+"."""


class Basis(StrEnum):
    """When a use counts whose month was closed before it was recorded."""

    POSTED = "posted"
    """In the month that took it, as in statements."""
    OCCURRED = "occurred"
    """On the day itself, as the machines saw it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums; see `quotas.usage_tables.UsageMeasures` for what each one means."""

    runs: int = 0
    uncharged_runs: int = 0
    elapsed_seconds: int = 0
    cpu_seconds: int = 0
    gpu_seconds: int = 0
    mem_mib_seconds: int = 0
    licence_seconds: int = 0
    uncharged_cpu_seconds: int = 0
    uncharged_gpu_seconds: int = 0
    cpu_measured_seconds: int = 0
    used_cpu_seconds: int = 0
    gpu_measured_seconds: int = 0
    gpu_busy_seconds: int = 0
    mem_measured_runs: int = 0
    mem_measured_mib_seconds: int = 0
    mem_peak_mib_seconds: int = 0
    waited_runs: int = 0
    waited_seconds: int = 0
    list_vnd: int = 0
    subsidy_vnd: int = 0
    vnd: int = 0


MEASURES = tuple(field.name for field in fields(Usage))


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The sums of one combination of values."""

    of: Mapping[Dimension, Any]
    """The value of each dimension that was asked for."""
    usage: Usage


def usage_totals(  # noqa: PLR0913 - one question, every part by keyword
    conn: Connection,
    *,
    by: Sequence[Dimension],
    since: date,
    until: date,
    where: Mapping[Dimension, object] | None = None,
    basis: Basis = Basis.POSTED,
    most: int | None = None,
    measures: Sequence[str] = MEASURES,
) -> list[UsageTotal]:
    """Sums of the local days from `since` up to, not including, `until`, ordered by the values of `by`.

    `where` narrows it: a value, or a list, tuple or set of which one must match (none of an empty one does).
    It is read from the smallest roll-up that tells apart what is asked: whole months are the cheapest.
    Combinations in which nothing was used are left out.

    With `most`, only so many combinations of all respects but days and months are told, those that were
    charged the most, then those that used the most GPUs and CPUs: each on all of its days or months.

    With `measures`, only these of `MEASURES` are added up, the others are 0: half of the work is sums.
    """
    narrowed = dict(where or {})
    source = _source_of({*by, *narrowed}, since, until, basis)
    respects = [source.columns[dimension] for dimension in by]
    conditions = [
        *source.period(since, until),
        *(source.matches(dimension, value) for dimension, value in narrowed.items()),
    ]
    told_apart = [source.table.c[_NAMES[dimension]] for dimension in by if dimension in _NAMES]
    if most is not None and told_apart:
        conditions.append(tuple_(*told_apart).in_(_dearest(source.table, told_apart, conditions, most)))
    statement = (
        select(
            *(cast(respect, String) if isinstance(respect.type, Uuid) else respect for respect in respects),
            # PostgreSQL's sums of BIGINT are NUMERIC, which is slow to read.
            *(cast(func.sum(source.table.c[name]), BigInteger) for name in measures),
        )
        .where(*conditions)
        .group_by(*respects)
        .order_by(*respects)
    )
    readers = [source.reader(dimension) for dimension in by]
    places = [measures.index(name) if name in measures else -1 for name in MEASURES]
    found = []
    for row in conn.execute(statement).all():
        amounts = (*row[len(by) :], 0)
        if any(amounts):
            values = {key: read(value) for key, read, value in zip(by, readers, row, strict=False)}
            found.append(UsageTotal(values, Usage(*[amounts[place] for place in places])))
    return found


def charged_by_day(  # noqa: PLR0913 - one question, every part by keyword
    conn: Connection,
    owner: Dimension,
    *,
    since: date,
    until: date,
    assets: Sequence[Asset],
    with_gpu_types: bool,
    only: Collection[UUID] | None = None,
) -> Iterator[tuple[UUID, date, str, Sequence[int]]]:
    """What each owner paid for on each day itself (`Basis.OCCURRED`), of these assets in their order.

    The assets are among `CHARGED`: all licences are one, and GPUs too, by type on request (else ""). Owner by
    owner, and an owner's id is read once: a page of all grants has thousands of days. A day
    comes in several parts where some of it was posted later.
    """
    asked = {owner, Dimension.DAY, *([Dimension.GPU_TYPE] if with_gpu_types else [])}
    source = _source_of(asked, since, until, Basis.OCCURRED)
    told_apart = [source.columns[dimension] for dimension in (owner, Dimension.DAY, Dimension.GPU_TYPE)]
    kind = told_apart[2] if with_gpu_types else literal("")
    respects = told_apart[: 3 if with_gpu_types else 2]
    statement = (
        select(
            cast(told_apart[0], String),
            told_apart[1],
            kind,
            *(func.sum(CHARGED[asset](source.table.c)) for asset in assets),
        )
        .where(*source.period(since, until))
        .group_by(*(respects if with_gpu_types else _key_down_to(source.table, owner)))
        .order_by(*respects)
    )
    if only is not None:
        statement = statement.where(source.matches(owner, list(only)))
    for text, rows in groupby(conn.execute(statement), key=itemgetter(0)):
        owner_id = UUID(text)
        for row in rows:
            yield owner_id, row[1], row[2], [int(amount) for amount in row[3:]]


def _key_down_to(table: Table, owner: Dimension) -> list[ColumnElement[Any]]:
    """The first columns of the key, up to the owner: SQLite then adds up as it walks, and sorts only sums."""
    key: list[ColumnElement[Any]] = list(table.primary_key)
    return key[: [column.name for column in table.primary_key].index(_NAMES[owner]) + 1]


CHARGED: Mapping[Asset, Callable[[Any], ColumnElement[int]]] = {
    VND: lambda columns: columns.vnd,
    tres.CPU: lambda columns: columns.cpu_seconds - columns.uncharged_cpu_seconds,
    tres.MEM: lambda columns: columns.mem_mib_seconds,
    tres.GPU: lambda columns: columns.gpu_seconds - columns.uncharged_gpu_seconds,
    tres.license_tres(""): lambda columns: columns.licence_seconds,
}
"""What was paid for, from the measures of a roll-up; of memory and licences it is not known what was free."""


_DAYS, _SUMS = table_of(UsageDay), table_of(UsageSum)
_NAMES = {
    Dimension.ORGANISATION: "organisation_id",
    Dimension.PROJECT: "project_id",
    Dimension.ALLOCATION: "allocation_id",
    Dimension.USER: "user_id",
    Dimension.CLUSTER: "cluster",
    Dimension.PARTITION: "partition",
    Dimension.WORKLOAD: "workload",
    Dimension.STATE: "state",
    Dimension.GPU_TYPE: "gpu_type",
}
_CITY = {
    Dimension.MONTH,
    Dimension.ORGANISATION,
    Dimension.CLUSTER,
    Dimension.PARTITION,
    Dimension.GPU_TYPE,
}
_BY_MONTH: Mapping[Grain, Collection[Dimension]] = {
    Grain.CITY_WORK: {*_CITY - {Dimension.ORGANISATION}, Dimension.WORKLOAD, Dimension.STATE},
    Grain.CITY_MONTH: _CITY,
    Grain.USER: {Dimension.MONTH, Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER},
    Grain.PAYER: {*_CITY, Dimension.PROJECT, Dimension.ALLOCATION},
    Grain.WORK: {*_CITY - {Dimension.GPU_TYPE}, Dimension.WORKLOAD, Dimension.STATE},
}
"""What each monthly grain can answer; where several can, the first is the smallest."""
_BY_DAY = {*_CITY, Dimension.DAY}
"""What the daily sums of `usage_sum` can answer."""


_RANKED_BY = ("vnd", "gpu_seconds", "cpu_seconds")


def _dearest(
    table: Table,
    told_apart: Sequence[ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]],
    most: int,
) -> Select[*tuple[Any, ...]]:
    """The combinations of which most was used: a third of the work of adding up all measures of all."""
    dearest = [func.sum(table.c[name]).desc() for name in _RANKED_BY]
    return (
        select(*told_apart)
        .where(*conditions)
        .group_by(*told_apart)
        .order_by(*dearest, *told_apart)
        .limit(most)
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A roll-up that can answer."""

    table: Table
    dated_by: ColumnElement[Any]
    grain: Grain | None
    has_months: bool
    """Its rows are of months: the date is the month."""

    @property
    def columns(self) -> Mapping[Dimension, ColumnElement[Any]]:
        named: dict[Dimension, ColumnElement[Any]] = {d: self.table.c[name] for d, name in _NAMES.items()}
        month = self.dated_by if self.has_months else _month_number(self.dated_by)
        return {**named, Dimension.DAY: self.dated_by, Dimension.MONTH: month}

    def period(self, since: date, until: date) -> Sequence[ColumnElement[bool]]:
        # Nothing is posted before its day: this lets the database begin where it must.
        dated = (self.table.c.posted_on >= since, self.dated_by >= since, self.dated_by < until)
        return dated if self.grain is None else (_SUMS.c.grain == self.grain.value, *dated)

    def matches(self, dimension: Dimension, value: object) -> ColumnElement[bool]:
        """A value, or one of several."""
        column = self.columns[dimension]
        if isinstance(value, list | tuple | set | frozenset):
            return column.in_([self._written(dimension, one) for one in value])
        return column == self._written(dimension, value)

    def reader(self, dimension: Dimension) -> Callable[[Any], Any]:
        """What makes a column's value the dimension's; ids are read as text."""
        if isinstance(self.columns[dimension].type, Uuid):
            return _uuid
        if dimension is Dimension.MONTH and not self.has_months:
            return _first_of_month
        return _as_it_is

    def _written(self, dimension: Dimension, value: object) -> object:
        """A dimension's value as its column has it."""
        if dimension is Dimension.MONTH and not self.has_months and isinstance(value, date):
            return value.year * 12 + value.month - 1
        return value


def _source_of(asked: Collection[Dimension], since: date, until: date, basis: Basis) -> _Source:
    """The smallest roll-up that tells apart what is asked."""
    if basis is Basis.POSTED and since.day == until.day == 1:
        for grain, told_apart in _BY_MONTH.items():
            if all(dimension in told_apart for dimension in asked):
                return _Source(_SUMS, _SUMS.c.posted_on, grain, has_months=True)
    is_of_city = all(dimension in _BY_DAY for dimension in asked)
    table, grain_of_days = (_SUMS, Grain.CITY_DAY) if is_of_city else (_DAYS, None)
    dated_by = table.c.posted_on if basis is Basis.POSTED else table.c.day
    return _Source(table, dated_by, grain_of_days, has_months=False)


_uuid = lru_cache(maxsize=20_000)(UUID)
"""To parse an id takes longer than all else that is done to its row, and each report has the same ones."""


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - of any column
    return value


def _first_of_month(number: Any) -> date:  # noqa: ANN401 - a Decimal on PostgreSQL
    year, month = divmod(int(number), 12)
    return date(year, month + 1, 1)


_TWELVE: ColumnElement[int] = literal_column("12", Integer)
_ONE: ColumnElement[int] = literal_column("1", Integer)
"""Written out: PostgreSQL takes an expression with parameters for another one each time it comes."""


def _month_number(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """Months since the year 0, which both databases can tell of a date."""
    return extract("year", day) * _TWELVE + extract("month", day) - _ONE
