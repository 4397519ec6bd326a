"""Sums of what was used, by any respect, read from the roll-ups: never from runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Table, extract, func, literal_column, select

from quotas.tables import table_of
from quotas.usage_tables import Grain, UsageDay, UsageMonth


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
    waited_runs: int = 0
    waited_seconds: int = 0
    list_vnd: int = 0
    subsidy_vnd: int = 0
    vnd: int = 0


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
) -> list[UsageTotal]:
    """Sums of the local days from `since` up to, not including, `until`, ordered by the values of `by`.

    `where` narrows it: a value, or a list, tuple or set of which one must match (none of an empty one does).
    Whole months without DAY are read from monthly roll-ups where one of them tells apart what is asked.
    Combinations in which nothing was used are left out.
    """
    narrowed = dict(where or {})
    source = _source_of({*by, *narrowed}, since, until, basis)
    respects = [source.columns[dimension] for dimension in by]
    sums = [func.sum(source.table.c[name]) for name in _MEASURES]
    statement = (
        select(*respects, *sums)
        .select_from(source.table)
        .where(
            *source.period(since, until),
            *(_matches(dimension, source.columns[dimension], value) for dimension, value in narrowed.items()),
        )
        .group_by(*respects)
        .order_by(*respects)
    )
    found = []
    for row in conn.execute(statement):
        amounts = [int(amount or 0) for amount in row[len(by) :]]
        if any(amounts):
            of = {dimension: _read(dimension, row[place]) for place, dimension in enumerate(by)}
            found.append(UsageTotal(of, Usage(*amounts)))
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    """A roll-up that can answer."""

    table: Table
    columns: Mapping[Dimension, ColumnElement[Any]]
    dated_by: ColumnElement[Any]
    grain: Grain | None = None

    def period(self, since: date, until: date) -> Sequence[ColumnElement[bool]]:
        dated = (self.dated_by >= since, self.dated_by < until)
        if self.grain is not None:
            return (_MONTHS.c.grain == self.grain.value, *dated)
        # Nothing is posted before its day: this lets the database begin where it must.
        return (_DAYS.c.posted_on >= since, *dated)


_DAYS, _MONTHS = table_of(UsageDay), table_of(UsageMonth)
_MEASURES = tuple(field.name for field in fields(Usage))
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
_TOLD_APART: Mapping[Grain, Collection[Dimension]] = {
    Grain.USER: {Dimension.MONTH, Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER},
    Grain.PAYER: {
        Dimension.MONTH,
        Dimension.ORGANISATION,
        Dimension.PROJECT,
        Dimension.ALLOCATION,
        Dimension.CLUSTER,
        Dimension.PARTITION,
        Dimension.GPU_TYPE,
    },
    Grain.WORK: {
        Dimension.MONTH,
        Dimension.ORGANISATION,
        Dimension.CLUSTER,
        Dimension.PARTITION,
        Dimension.WORKLOAD,
        Dimension.STATE,
        Dimension.GPU_TYPE,
    },
}
"""What each grain of `usage_month` can answer; where several can, the first is the smallest."""


def _source_of(asked: Collection[Dimension], since: date, until: date, basis: Basis) -> _Source:
    if basis is Basis.POSTED and since.day == until.day == 1:
        for grain, told_apart in _TOLD_APART.items():
            if all(dimension in told_apart for dimension in asked):
                columns = {dimension: _MONTHS.c[name] for dimension, name in _NAMES.items()}
                months = {Dimension.MONTH: _month_number(_MONTHS.c.month)}
                return _Source(_MONTHS, {**columns, **months}, _MONTHS.c.month, grain)
    dated_by = _DAYS.c.posted_on if basis is Basis.POSTED else _DAYS.c.day
    columns = {dimension: _DAYS.c[name] for dimension, name in _NAMES.items()}
    return _Source(
        _DAYS, {**columns, Dimension.DAY: dated_by, Dimension.MONTH: _month_number(dated_by)}, dated_by
    )


_TWELVE: ColumnElement[int] = literal_column("12", Integer)
_ONE: ColumnElement[int] = literal_column("1", Integer)
"""Written out: PostgreSQL takes an expression with parameters for another one each time it comes."""


def _month_number(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """Months since the year 0, which both databases can tell of a date."""
    return extract("year", day) * _TWELVE + extract("month", day) - _ONE


def _matches(dimension: Dimension, column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    if isinstance(value, list | tuple | set | frozenset):
        return column.in_([_written(dimension, one) for one in value])
    return column == _written(dimension, value)


def _written(dimension: Dimension, value: object) -> object:
    """A dimension's value as its column has it."""
    if dimension is Dimension.MONTH and isinstance(value, date):
        return value.year * 12 + value.month - 1
    return value


def _read(dimension: Dimension, value: Any) -> Any:  # noqa: ANN401 - of any column
    """A column's value as the dimension's."""
    if dimension is Dimension.MONTH:
        year, month = divmod(int(value), 12)
        return date(year, month + 1, 1)
    return value
