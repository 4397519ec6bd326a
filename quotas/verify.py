"""Look for anything in the ledger that does not add up."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, case, exists, func, literal, select

from quotas.amounts import Asset
from quotas.hold_tables import HoldState, QuotaHold
from quotas.money import VND
from quotas.refunded import charged, refunded_by_line
from quotas.tables import (
    AccountingRecord,
    AccountKind,
    Allocation,
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
_ALLOCATIONS = table_of(Allocation)

_FROM_OUTSIDE = frozenset(
    {TransferKind.GRANT, TransferKind.ADJUST, TransferKind.MOVE, TransferKind.CARRY, TransferKind.EXPIRE}
)
"""Kinds that change how much an allocation has; all others move it between its own accounts."""


class Rule(StrEnum):
    """What must hold after every step."""

    TRANSFER_SUMS_TO_ZERO = "transfer_sums_to_zero"
    """The entries of a transfer, for each asset."""
    BALANCE_IS_SUM_OF_ENTRIES = "balance_is_sum_of_entries"
    HELD_IS_OPEN_HOLDS = "held_is_open_holds"
    CONSUMED_IS_CHARGED_RUNS = "consumed_is_charged_runs"
    """Each run as its newest revision has it, less what was refunded."""
    GRANTED_IS_ALL_THERE_IS = "granted_is_all_there_is"
    """What came into an allocation, less what left it, is available, held or consumed."""
    REFUNDS_WITHIN_CHARGES = "refunds_within_charges"
    """No job got back more than it was charged."""
    CHILDREN_WITHIN_PARENT = "children_within_parent"
    """What was split off a grant never uses more than that grant."""
    EXPIRED_IS_WHAT_EXPIRED = "expired_is_what_expired"
    ALL_IS_ZERO = "all_is_zero"
    """The sum of all balances, for each asset."""
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
        *_refunds_within_charges(conn),
        *_children_within_parents(conn),
        *_expired_is_what_expired(conn),
        *_all_is_zero(conn),
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
    expected: Counter[tuple[object, Asset]] = Counter()
    later = _RECORDS.alias("later")
    is_superseded = exists().where(
        later.c.run_key == _RECORDS.c.run_key, later.c.revision > _RECORDS.c.revision
    )
    records = select(_RECORDS.c.allocation_id, _RECORDS.c.vnd, _RECORDS.c.tres_seconds).where(
        _RECORDS.c.is_charged, ~is_superseded
    )
    for record in conn.execute(records).yield_per(10_000):
        expected[record.allocation_id, VND] += record.vnd
        for name, amount in record.tres_seconds.items():
            expected[record.allocation_id, name] += amount
    for line, amount in refunded_by_line(conn).items():
        expected[line] -= amount
    consumed = select(_LINES.c.allocation_id, _LINES.c.asset, _ACCOUNTS.c.balance).join_from(
        _LINES, _ACCOUNTS, _ACCOUNTS.c.id == _LINES.c.consumed_id
    )
    for row in conn.execute(consumed):
        wanted = expected[row.allocation_id, row.asset]
        if wanted != row.balance:
            yield Discrepancy(
                Rule.CONSUMED_IS_CHARGED_RUNS,
                f"allocation {row.allocation_id}",
                row.asset,
                wanted,
                row.balance,
            )


def _granted_is_all_there_is(conn: Connection) -> Iterator[Discrepancy]:
    """Granted + adjusted + moved and carried in - moved and carried out - expired, against what is there."""
    into = (
        select(_ENTRIES.c.account_id, func.sum(_ENTRIES.c.amount).label("amount"))
        .join_from(_ENTRIES, _TRANSFERS, _TRANSFERS.c.id == _ENTRIES.c.transfer_id)
        .where(_TRANSFERS.c.kind.in_(_FROM_OUTSIDE))
        .group_by(_ENTRIES.c.account_id)
        .subquery()
    )
    own_accounts = [_LINES.c.available_id, _LINES.c.held_id, _LINES.c.consumed_id]
    total = func.sum(_ACCOUNTS.c.balance)
    expected = func.coalesce(into.c.amount, 0)
    wrong = (
        select(_LINES.c.allocation_id, _LINES.c.asset, expected.label("granted"), total.label("total"))
        .join_from(_LINES, _ACCOUNTS, _ACCOUNTS.c.id.in_(own_accounts))
        .outerjoin(into, into.c.account_id == _LINES.c.available_id)
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


def _refunds_within_charges(conn: Connection) -> Iterator[Discrepancy]:
    refunds = (
        select(_TRANSFERS.c.job_id, _LINES.c.asset, func.sum(_ENTRIES.c.amount).label("consumed"))
        .join_from(_TRANSFERS, _ENTRIES, _ENTRIES.c.transfer_id == _TRANSFERS.c.id)
        .join(_LINES, _LINES.c.consumed_id == _ENTRIES.c.account_id)
        .where(_TRANSFERS.c.kind == TransferKind.REFUND)
        .group_by(_TRANSFERS.c.job_id, _LINES.c.asset)
    )
    costs: dict[UUID, Counter[Asset]] = {}
    for row in conn.execute(refunds).all():
        if row.job_id not in costs:
            costs[row.job_id] = Counter()
            for (_, asset), amount in charged(conn, row.job_id).items():
                costs[row.job_id][asset] += amount
        given, cost = -int(row.consumed), costs[row.job_id][row.asset]
        if not 0 <= given <= cost:
            yield Discrepancy(Rule.REFUNDS_WITHIN_CHARGES, f"job {row.job_id}", row.asset, cost, given)


def _all_is_zero(conn: Connection) -> Iterator[Discrepancy]:
    total = func.sum(_ACCOUNTS.c.balance)
    off = select(_ACCOUNTS.c.asset, total.label("total")).group_by(_ACCOUNTS.c.asset).having(total != 0)
    for row in conn.execute(off):
        yield Discrepancy(Rule.ALL_IS_ZERO, "ledger", row.asset, 0, int(row.total))


def _children_within_parents(conn: Connection) -> Iterator[Discrepancy]:
    """What parts of a grant, and parts of those, used and hold, against it and what they got besides.

    Overruns are left out.
    """
    inflow = (
        select(_LINES.c.allocation_id, _LINES.c.asset, func.sum(_ENTRIES.c.amount).label("amount"))
        .join_from(_LINES, _ENTRIES, _ENTRIES.c.account_id == _LINES.c.available_id)
        .join(_TRANSFERS, _TRANSFERS.c.id == _ENTRIES.c.transfer_id)
        .where(_TRANSFERS.c.kind.in_(_FROM_OUTSIDE - {TransferKind.MOVE, TransferKind.EXPIRE}))
        .group_by(_LINES.c.allocation_id, _LINES.c.asset)
        .subquery()
    )
    top = _ALLOCATIONS.alias("top")
    parts = (
        select(_ALLOCATIONS.c.id, top.c.id.label("whole"))
        .join(top, (top.c.id == _ALLOCATIONS.c.parent_id) & top.c.parent_id.is_(None))
        .cte("parts", recursive=True)
    )
    above = parts.alias("above")
    parts = parts.union_all(
        select(_ALLOCATIONS.c.id, above.c.whole).join(above, above.c.id == _ALLOCATIONS.c.parent_id)
    )
    available, held, consumed = (_ACCOUNTS.alias(name) for name in ("available", "held", "consumed"))
    overrun = case((available.c.balance < 0, available.c.balance), else_=0)
    used = func.sum(held.c.balance + consumed.c.balance + overrun)
    own = inflow.alias("own")
    granted = func.coalesce(inflow.c.amount, 0) + func.sum(func.coalesce(own.c.amount, 0))
    over = (
        select(parts.c.whole, _LINES.c.asset, used.label("used"), granted.label("granted"))
        .join_from(parts, _LINES, _LINES.c.allocation_id == parts.c.id)
        .join(available, available.c.id == _LINES.c.available_id)
        .join(held, held.c.id == _LINES.c.held_id)
        .join(consumed, consumed.c.id == _LINES.c.consumed_id)
        .outerjoin(inflow, (inflow.c.allocation_id == parts.c.whole) & (inflow.c.asset == _LINES.c.asset))
        .outerjoin(own, (own.c.allocation_id == parts.c.id) & (own.c.asset == _LINES.c.asset))
        .group_by(parts.c.whole, _LINES.c.asset, inflow.c.amount)
        .having(used > granted)
    )
    for row in conn.execute(over):
        yield Discrepancy(
            Rule.CHILDREN_WITHIN_PARENT,
            f"allocation {row.whole}",
            row.asset,
            int(row.granted),
            int(row.used),
        )


def _expired_is_what_expired(conn: Connection) -> Iterator[Discrepancy]:
    """What expired, by the journal, is in the expired accounts, less what was carried on."""
    expired = _ACCOUNTS.alias("expired")
    booked = (
        select(func.coalesce(func.sum(_ENTRIES.c.amount), 0))
        .join_from(_ENTRIES, _TRANSFERS, _TRANSFERS.c.id == _ENTRIES.c.transfer_id)
        .where(
            _ENTRIES.c.account_id == expired.c.id,
            _TRANSFERS.c.kind.in_([TransferKind.EXPIRE, TransferKind.CARRY]),
        )
        .scalar_subquery()
    )
    wrong = select(expired.c.owner_id, expired.c.asset, expired.c.balance, booked.label("booked")).where(
        expired.c.kind == AccountKind.EXPIRED, (expired.c.balance != booked) | (expired.c.balance < 0)
    )
    for row in conn.execute(wrong):
        yield Discrepancy(
            Rule.EXPIRED_IS_WHAT_EXPIRED,
            f"allocation {row.owner_id}",
            row.asset,
            int(row.booked),
            row.balance,
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
