"""Look for anything in the ledger that does not add up."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, exists, func, literal, select

from quotas.amounts import Asset
from quotas.hold_tables import HoldState, QuotaHold
from quotas.money import VND
from quotas.tables import (
    AccountingRecord,
    AllocationLine,
    Entry,
    LedgerAccount,
    Transfer,
    TransferKind,
    table_of,
)

_ACCOUNTS = table_of(LedgerAccount)
_TRANSFERS = table_of(Transfer)
_ENTRIES = table_of(Entry)
_LINES = table_of(AllocationLine)
_HOLDS = table_of(QuotaHold)
_RECORDS = table_of(AccountingRecord)


class Rule(StrEnum):
    """What must hold after every step."""

    TRANSFER_SUMS_TO_ZERO = "transfer_sums_to_zero"
    """The entries of a transfer, for each asset."""
    BALANCE_IS_SUM_OF_ENTRIES = "balance_is_sum_of_entries"
    HELD_IS_OPEN_HOLDS = "held_is_open_holds"
    CONSUMED_IS_CHARGED_RUNS = "consumed_is_charged_runs"
    """Each run as its newest revision has it."""
    GRANTED_IS_ALL_THERE_IS = "granted_is_all_there_is"
    """What was granted to an allocation is available, held or consumed."""
    WITHIN_OVERDRAFT = "within_overdraft"
    """Broken by runs that used more than was held for them: no error of ours, but somebody must look."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One place where two sums that must be equal are not."""

    rule: Rule
    subject: str
    """The transfer, account or allocation."""
    asset: Asset
    expected: int
    found: int


def verify(conn: Connection) -> list[Discrepancy]:
    """Check the whole ledger; empty when all is well.

    Reads everything, in several statements: on a live PostgreSQL, call it in a REPEATABLE READ transaction.
    """
    return [
        *_transfers_sum_to_zero(conn),
        *_balances_are_sums(conn),
        *_held_is_open_holds(conn),
        *_consumed_is_charged_runs(conn),
        *_granted_is_all_there_is(conn),
        *_within_overdraft(conn),
    ]


def _transfers_sum_to_zero(conn: Connection) -> Iterator[Discrepancy]:
    total = func.sum(_ENTRIES.c.amount)
    unbalanced = (
        select(_ENTRIES.c.transfer_id, _ACCOUNTS.c.asset, total.label("total"))
        .join_from(_ENTRIES, _ACCOUNTS, _ACCOUNTS.c.id == _ENTRIES.c.account_id)
        .group_by(_ENTRIES.c.transfer_id, _ACCOUNTS.c.asset)
        .having(total != 0)
    )
    for row in conn.execute(unbalanced):
        yield Discrepancy(
            Rule.TRANSFER_SUMS_TO_ZERO, f"transfer {row.transfer_id}", row.asset, 0, int(row.total)
        )


def _balances_are_sums(conn: Connection) -> Iterator[Discrepancy]:
    total = func.coalesce(func.sum(_ENTRIES.c.amount), 0)
    wrong = (
        select(_ACCOUNTS.c.id, _ACCOUNTS.c.asset, _ACCOUNTS.c.balance, total.label("total"))
        .outerjoin_from(_ACCOUNTS, _ENTRIES, _ENTRIES.c.account_id == _ACCOUNTS.c.id)
        .group_by(_ACCOUNTS.c.id, _ACCOUNTS.c.asset, _ACCOUNTS.c.balance)
        .having(total != _ACCOUNTS.c.balance)
    )
    for row in conn.execute(wrong):
        yield Discrepancy(
            Rule.BALANCE_IS_SUM_OF_ENTRIES, f"account {row.id}", row.asset, int(row.total), row.balance
        )


def _held_is_open_holds(conn: Connection) -> Iterator[Discrepancy]:
    total = func.coalesce(func.sum(_HOLDS.c.open_amount), 0)
    is_open_hold = (
        (_HOLDS.c.allocation_id == _LINES.c.allocation_id)
        & (_HOLDS.c.asset == _LINES.c.asset)
        & (_HOLDS.c.state == literal(HoldState.OPEN, _HOLDS.c.state.type))
    )
    wrong = (
        select(_LINES.c.allocation_id, _LINES.c.asset, _ACCOUNTS.c.balance, total.label("total"))
        .join_from(_LINES, _ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.held_id)
        .outerjoin(_HOLDS, is_open_hold)
        .group_by(_LINES.c.allocation_id, _LINES.c.asset, _ACCOUNTS.c.balance)
        .having(total != _ACCOUNTS.c.balance)
    )
    for row in conn.execute(wrong):
        yield Discrepancy(
            Rule.HELD_IS_OPEN_HOLDS, f"allocation {row.allocation_id}", row.asset, int(row.total), row.balance
        )


def _consumed_is_charged_runs(conn: Connection) -> Iterator[Discrepancy]:
    charged: Counter[tuple[object, Asset]] = Counter()
    later = _RECORDS.alias("later")
    is_superseded = exists().where(
        later.c.run_key == _RECORDS.c.run_key, later.c.revision > _RECORDS.c.revision
    )
    records = select(_RECORDS.c.allocation_id, _RECORDS.c.vnd, _RECORDS.c.tres_seconds).where(
        _RECORDS.c.is_charged, ~is_superseded
    )
    for record in conn.execute(records).yield_per(10_000):
        charged[record.allocation_id, VND] += record.vnd
        for name, amount in record.tres_seconds.items():
            charged[record.allocation_id, name] += amount
    consumed = select(_LINES.c.allocation_id, _LINES.c.asset, _ACCOUNTS.c.balance).join_from(
        _LINES, _ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.consumed_id
    )
    for row in conn.execute(consumed):
        expected = charged[row.allocation_id, row.asset]
        if expected != row.balance:
            yield Discrepancy(
                Rule.CONSUMED_IS_CHARGED_RUNS,
                f"allocation {row.allocation_id}",
                row.asset,
                expected,
                row.balance,
            )


def _granted_is_all_there_is(conn: Connection) -> Iterator[Discrepancy]:
    granted = (
        select(_ENTRIES.c.account_id, func.sum(_ENTRIES.c.amount).label("amount"))
        .join_from(_ENTRIES, _TRANSFERS, _TRANSFERS.c.id == _ENTRIES.c.transfer_id)
        .where(_TRANSFERS.c.kind == TransferKind.GRANT)
        .group_by(_ENTRIES.c.account_id)
        .subquery()
    )
    own_accounts = [_LINES.c.available_id, _LINES.c.held_id, _LINES.c.consumed_id]
    total = func.sum(_ACCOUNTS.c.balance)
    expected = func.coalesce(granted.c.amount, 0)
    wrong = (
        select(_LINES.c.allocation_id, _LINES.c.asset, expected.label("granted"), total.label("total"))
        .join_from(_LINES, _ACCOUNTS, _ACCOUNTS.c.id.in_(own_accounts))
        .outerjoin(granted, granted.c.account_id == _LINES.c.available_id)
        .group_by(_LINES.c.allocation_id, _LINES.c.asset, expected)
        .having(total != expected)
    )
    for row in conn.execute(wrong):
        yield Discrepancy(
            Rule.GRANTED_IS_ALL_THERE_IS,
            f"allocation {row.allocation_id}",
            row.asset,
            int(row.granted),
            int(row.total),
        )


def _within_overdraft(conn: Connection) -> Iterator[Discrepancy]:
    below = (
        select(_LINES.c.allocation_id, _LINES.c.asset, _ACCOUNTS.c.balance, _ACCOUNTS.c.overdraft)
        .join_from(_LINES, _ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.available_id)
        .where(_ACCOUNTS.c.balance < -_ACCOUNTS.c.overdraft)
    )
    for row in conn.execute(below):
        yield Discrepancy(
            Rule.WITHIN_OVERDRAFT, f"allocation {row.allocation_id}", row.asset, -row.overdraft, row.balance
        )
