"""Compare statements with what they must agree with: the ledger's balances, and the month before."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, select

from quotas.amounts import Asset
from quotas.periods import first_open_month, month_of
from quotas.statement import Statement, project_statements, read_body
from quotas.tables import AccountKind, AccountOwner, Allocation, LedgerAccount, Project, table_of
from quotas.usage_tables import ClosedStatement

_PROJECTS, _ALLOCATIONS, _ACCOUNTS = table_of(Project), table_of(Allocation), table_of(LedgerAccount)
_STATEMENTS = table_of(ClosedStatement)
_LAST_MONTH = date(9999, 11, 1)
"""Whatever was booked, was booked before."""


@dataclass(frozen=True, slots=True)
class StatementDifference:
    """An amount of a project that a statement has otherwise."""

    rule: str
    project_id: UUID
    asset: Asset
    expected: int
    found: int


def check_statements(conn: Connection) -> Iterator[StatementDifference]:
    """Where all months together do not close at what is available and held, or a month not where it should.

    On a live PostgreSQL, call it in a REPEATABLE READ transaction: it reads several times.
    """
    owners = {row.id: row.organisation_id for row in conn.execute(select(_PROJECTS))}
    closing = _lines(project_statements(conn, _LAST_MONTH, owners), "closing")
    yield from _differences("statements_close_at_balances", _balances(conn), closing)
    open_from = first_open_month(conn)
    if open_from == date.min:
        return
    before = month_of(open_from - timedelta(days=1))
    rows = conn.execute(select(_STATEMENTS.c.body).where(_STATEMENTS.c.month == before)).scalars()
    closed = _lines([read_body(body) for body in rows], "closing")
    opening = _lines(project_statements(conn, open_from, owners), "opening")
    yield from _differences("month_opens_where_the_last_closed", closed, opening)


def _balances(conn: Connection) -> Mapping[tuple[UUID, Asset], int]:
    """What is available and held, by project and asset."""
    rows = conn.execute(
        select(_ALLOCATIONS.c.project_id, _ACCOUNTS.c.asset, func.sum(_ACCOUNTS.c.balance).label("amount"))
        .join(_ALLOCATIONS, _ALLOCATIONS.c.id == _ACCOUNTS.c.owner_id)
        .where(
            _ACCOUNTS.c.owner_kind == AccountOwner.ALLOCATION,
            _ACCOUNTS.c.kind.in_([AccountKind.AVAILABLE, AccountKind.HELD]),
        )
        .group_by(_ALLOCATIONS.c.project_id, _ACCOUNTS.c.asset)
    )
    return {(row.project_id, row.asset): int(row.amount) for row in rows}


def _lines(statements: list[Statement], column: str) -> Mapping[tuple[UUID, Asset], int]:
    found: Counter[tuple[UUID, Asset]] = Counter()
    for statement in statements:
        for line in statement.lines:
            if statement.project_id is not None:
                found[statement.project_id, line.asset] += getattr(line, column)
    return found


def _differences(
    rule: str, expected: Mapping[tuple[UUID, Asset], int], found: Mapping[tuple[UUID, Asset], int]
) -> Iterator[StatementDifference]:
    for project, asset in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get((project, asset), 0), found.get((project, asset), 0)
        if wanted != there:
            yield StatementDifference(rule, project, asset, wanted, there)
