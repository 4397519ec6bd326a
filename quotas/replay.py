"""Replay the journal into an empty database: balances and roll-ups that follow from what was written down.

Cached balances and roll-ups are taken from nowhere else; so whoever has the journal and the records can have
the whole of the books again, and compare.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlmodel import SQLModel

from quotas.amounts import Asset
from quotas.rebuild_usage import fold_unfolded
from quotas.subsidy_tables import Programme, ProgrammeProject, SubsidyRuleRow
from quotas.table_modules import TABLE_MODULES
from quotas.tables import (
    AccountingRecord,
    AccountKind,
    Allocation,
    AllocationLine,
    Entry,
    LedgerAccount,
    Organisation,
    PriceItemRow,
    PriceListRow,
    Project,
    Transfer,
    table_of,
)
from quotas.usage_tables import AccountingBooks, ClosedMonth

_WRITTEN_DOWN: tuple[type[SQLModel], ...] = (
    *(Organisation, Project, PriceListRow, PriceItemRow, Programme, ProgrammeProject, SubsidyRuleRow),
    *(Allocation, LedgerAccount, AllocationLine, Transfer, Entry, AccountingRecord),
    *(AccountingBooks, ClosedMonth),
)
"""What is replayed, in the order of their foreign keys; everything else of the ledger follows from it."""
_ACCOUNTS = table_of(LedgerAccount)
_ENTRIES = table_of(Entry)
_ROWS_AT_ONCE = 5000
_SET_BALANCE = (
    update(_ACCOUNTS)
    .where(_ACCOUNTS.c.id == bindparam("account"))
    .values(balance=bindparam("sum_of_entries"))
)


@dataclass(frozen=True, slots=True)
class WrongBalance:
    """An account whose cached balance is not what its entries say."""

    account_id: int
    owner_id: UUID
    kind: AccountKind
    asset: Asset
    cached: int
    replayed: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was replayed, and where it differs from what is cached."""

    transfers: int
    entries: int
    records: int
    wrong: Sequence[WrongBalance]


def create_ledger_tables(conn: Connection) -> None:
    """The tables of the ledger, and nothing else, in an empty database."""
    defined = [thing for module in TABLE_MODULES for thing in vars(module).values()]
    tables = [table_of(thing) for thing in defined if isinstance(thing, type) and hasattr(thing, "__table__")]
    tables[0].metadata.create_all(conn, tables=tables)


def replay(source: Connection, target: Connection) -> Replayed:
    """Write the journal and the records of `source` into the empty ledger of `target`, in their order.

    Reads everything, in several statements: on a live PostgreSQL, call it in a REPEATABLE READ transaction.
    The caller commits the target, or throws it away.
    """
    counts: Counter[str] = Counter()
    balances: Counter[int] = Counter()
    for table in map(table_of, _WRITTEN_DOWN):
        for rows in _batches(source, table):
            if table is _ACCOUNTS:
                rows = [{**row, "balance": 0} for row in rows]  # noqa: PLW2901 - it follows from the entries
            target.execute(insert(table), rows)
            counts[table.name] += len(rows)
            if table is _ENTRIES:
                for row in rows:
                    balances[row["account_id"]] += row["amount"]
    if balances:
        sums = [{"account": account, "sum_of_entries": total} for account, total in balances.items()]
        target.execute(_SET_BALANCE, sums)
    fold_unfolded(target)
    return Replayed(
        transfers=counts[table_of(Transfer).name],
        entries=counts[_ENTRIES.name],
        records=counts[table_of(AccountingRecord).name],
        wrong=[
            WrongBalance(row.id, row.owner_id, row.kind, row.asset, row.balance, balances[row.id])
            for row in source.execute(select(_ACCOUNTS).order_by(_ACCOUNTS.c.id))
            if row.balance != balances[row.id]
        ],
    )


def _batches(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    order = [table.c.created_at] if table.name == table_of(Allocation).name else list(table.primary_key)
    rows = source.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table).order_by(*order))
    for part in rows.mappings().partitions(_ROWS_AT_ONCE):
        yield [dict(row) for row in part]
