"""The rows behind the figures, for an auditor: runs, transfers, entries, holds of a period, as a stream."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, FromClause, select, tuple_

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action
from hpc_portal.app.reports.files.to_csv import csv_lines
from hpc_portal.app.reports.period import Period
from quotas.hold_tables import QuotaHold
from quotas.tables import AccountingRecord, Entry, LedgerAccount, Transfer, table_of
from schedulers.units import CITY_TIME

Value: TypeAlias = Any
"""As JSON has it."""

CHUNK = 1000
"""Rows read at once, each time in a short transaction: a slow reader holds up nobody."""

_RECORDS, _TRANSFERS, _HOLDS = table_of(AccountingRecord), table_of(Transfer), table_of(QuotaHold)
_ENTRIES, _ACCOUNTS = table_of(Entry), table_of(LedgerAccount)


class Kind(StrEnum):
    """What can be asked for."""

    RUNS = "runs"
    """Accounting records by when the run ended, every revision."""
    TRANSFERS = "transfers"
    """By when they were booked."""
    ENTRIES = "entries"
    """Of those transfers, each with its account's owner, kind and asset."""
    HOLDS = "holds"
    """By when they were made, as they stand now."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A stream of rows, and what their columns are called."""

    header: Sequence[str]
    rows: Iterator[Sequence[Value]]

    def as_csv(self, *, with_mark: bool = False) -> Iterator[str]:
        """Line by line; what is more than a value is written as JSON."""
        cells = ([_cell(value) for value in row] for row in self.rows)
        return csv_lines(self.header, cells, with_mark=with_mark)

    def as_json(self) -> Iterator[str]:
        """One array of objects, a line for each, so that it can be read as a whole or line by line."""
        between = "[\n"
        for row in self.rows:
            yield between + json.dumps(dict(zip(self.header, row, strict=True)), ensure_ascii=False)
            between = ",\n"
        yield "[]\n" if between == "[\n" else "\n]\n"


def audit_rows(engine: Engine, actor: Actor, kind: Kind, period: Period) -> Rows:
    """Rows of whole local days, ordered as they came into being. Memory does not grow with their number.

    Rows that are added while somebody reads may or may not be among them; none comes twice.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    source = _SOURCES[kind]
    return Rows([column.name for column in source.columns], _stream(engine, source, period))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where rows of a kind are."""

    table: FromClause
    columns: Sequence[ColumnElement[Any]]
    at: ColumnElement[Any]
    """What the period is about."""
    key: Sequence[ColumnElement[Any]]
    """Grows as rows come into being, and tells them apart."""


_SOURCES = {
    Kind.RUNS: _Source(_RECORDS, list(_RECORDS.c), _RECORDS.c.ended_at, [_RECORDS.c.id]),
    Kind.TRANSFERS: _Source(_TRANSFERS, list(_TRANSFERS.c), _TRANSFERS.c.booked_at, [_TRANSFERS.c.id]),
    Kind.ENTRIES: _Source(
        _ENTRIES.join(_TRANSFERS, _TRANSFERS.c.id == _ENTRIES.c.transfer_id).join(
            _ACCOUNTS, _ACCOUNTS.c.id == _ENTRIES.c.account_id
        ),
        [
            _ENTRIES.c.transfer_id,
            _TRANSFERS.c.kind,
            _TRANSFERS.c.booked_at,
            _TRANSFERS.c.effective_at,
            _TRANSFERS.c.job_id,
            _ENTRIES.c.account_id,
            _ACCOUNTS.c.owner_kind,
            _ACCOUNTS.c.owner_id,
            _ACCOUNTS.c.kind.label("account_kind"),
            _ACCOUNTS.c.asset,
            _ENTRIES.c.amount,
        ],
        _TRANSFERS.c.booked_at,
        [_ENTRIES.c.transfer_id, _ENTRIES.c.account_id],
    ),
    Kind.HOLDS: _Source(
        _HOLDS, list(_HOLDS.c), _HOLDS.c.held_at, [_HOLDS.c.job_id, _HOLDS.c.allocation_id, _HOLDS.c.asset]
    ),
}


def _stream(engine: Engine, source: _Source, period: Period) -> Iterator[Sequence[Value]]:
    begin, end = (datetime.combine(day, time(), CITY_TIME) for day in (period.since, period.until))
    after: tuple[Any, ...] | None = None
    while True:
        with engine.connect() as connection:
            chunk = _read(connection, source, (begin, end), after)
        for key, values in chunk:
            yield values
            after = key
        if len(chunk) < CHUNK:
            return


def _read(
    connection: Connection,
    source: _Source,
    between: tuple[datetime, datetime],
    after: tuple[Any, ...] | None,
) -> list[tuple[tuple[Any, ...], list[Value]]]:
    """The next rows: the key of each, and its values."""
    begin, end = between
    statement = (
        select(*source.columns, *(part.label(f"key_{place}") for place, part in enumerate(source.key)))
        .select_from(source.table)
        .where(source.at >= begin, source.at < end)
        .order_by(*source.key)
        .limit(CHUNK)
    )
    if after is not None:
        statement = statement.where(tuple_(*source.key) > tuple_(*after, types=[p.type for p in source.key]))
    width = len(source.columns)
    return [
        (tuple(row[width:]), [_value(item) for item in row[:width]]) for row in connection.execute(statement)
    ]


def _value(item: object) -> Value:
    match item:
        case datetime():
            return item.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return item.isoformat()
        case UUID() | StrEnum():
            return str(item)
    return item


def _cell(value: Value) -> str | int | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | None:
            return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
