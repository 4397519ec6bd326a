"""Double entry: every movement is one transfer whose entries sum to zero, with cached balances beside it.

Accounts are always changed in the order of their ids, so that two transactions wait for each other
instead of deadlocking. Nothing here commits.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from quotas.errors import InvalidAmount, KeyReused
from quotas.tables import AccountKind, AccountOwner, Entry, LedgerAccount, Transfer, TransferKind, table_of

InsertOnce = postgresql.Insert | sqlite.Insert

_ACCOUNTS = table_of(LedgerAccount)
_TRANSFERS = table_of(Transfer)
_ENTRIES = table_of(Entry)


def insert_once(table: Table) -> Mapping[str, InsertOnce]:
    """An INSERT that leaves rows alone whose unique key exists already, by dialect."""
    return {
        "postgresql": postgresql.insert(table).on_conflict_do_nothing(),
        "sqlite": sqlite.insert(table).on_conflict_do_nothing(),
    }


_MOVE = (
    update(_ACCOUNTS)
    .where(_ACCOUNTS.c.id == bindparam("account"))
    .values(balance=_ACCOUNTS.c.balance + bindparam("amount"))
)
_MOVE_WITHIN_OVERDRAFT = _MOVE.where(_ACCOUNTS.c.balance + bindparam("amount") >= -_ACCOUNTS.c.overdraft)
_INSERT_ENTRIES = insert(_ENTRIES)
_INSERT_TRANSFERS = {
    dialect: statement.returning(_TRANSFERS.c.id, _TRANSFERS.c.idempotency_key)
    for dialect, statement in insert_once(_TRANSFERS).items()
}

_INSERT_WITH_ID = (
    postgresql.insert(_TRANSFERS)
    .on_conflict_do_nothing(index_elements=[_TRANSFERS.c.idempotency_key])
    .execution_options(preserve_rowcount=True)
)
_DRAW_IDS = select(func.nextval(func.pg_get_serial_sequence("transfer", "id"))).select_from(
    func.generate_series(1, bindparam("count"))
)
_FIND_IDS = select(_TRANSFERS.c.id).where(_TRANSFERS.c.id.in_(bindparam("ids", expanding=True)))


def move_within_overdraft(conn: Connection, account: int, amount: int) -> bool:
    """Change a cached balance unless that takes it below its overdraft; False when it would, unchanged.

    The limit stands in the statement itself: the database decides, whoever else writes at the same time.
    """
    return conn.execute(_MOVE_WITHIN_OVERDRAFT, {"account": account, "amount": amount}).rowcount == 1


def move(conn: Connection, amounts: Mapping[int, int]) -> None:
    """Change cached balances by account, whatever they are; zero amounts touch nothing.

    Raises:
        InvalidAmount: a sum would be beyond what can be counted; the caller rolls back.
    """
    changes = [
        {"account": account, "amount": amount} for account, amount in sorted(amounts.items()) if amount
    ]
    if not changes:
        return
    try:
        conn.execute(_MOVE, changes)
    except IntegrityError as error:
        if "balance_in_range" not in str(error.orig):
            raise
        raise InvalidAmount("lines", "would make a sum that is too large to be counted") from error


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """A movement to be written down; its amounts, by account, sum to zero for every asset."""

    kind: TransferKind
    key: str
    at: datetime
    amounts: Mapping[int, int]
    job_id: UUID | None = None
    actor_id: UUID | None = None
    reason: str = ""


def record_transfers(conn: Connection, transfers: Sequence[NewTransfer]) -> set[str]:
    """Write transfers with their entries; the keys of those that are new, for a used key writes nothing."""
    if not transfers:
        return set()
    facts = [
        {
            "kind": transfer.kind,
            "idempotency_key": transfer.key,
            "effective_at": transfer.at,
            "booked_at": transfer.at,
            "job_id": transfer.job_id,
            "actor_id": transfer.actor_id,
            "reason": transfer.reason,
        }
        for transfer in transfers
    ]
    ids = _insert_new(conn, facts)
    entries = [
        {"transfer_id": ids[transfer.key], "account_id": account, "amount": amount}
        for transfer in transfers
        if transfer.key in ids
        for account, amount in sorted(transfer.amounts.items())
        if amount
    ]
    if entries:
        conn.execute(_INSERT_ENTRIES, entries)
    return set(ids)


def _insert_new(conn: Connection, facts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Ids of the transfers that were written, by key.

    On PostgreSQL many rows get their ids beforehand: one INSERT ... VALUES with RETURNING for all of them
    would be a new text for each number of rows, which the driver parses anew, row by row.
    """
    if conn.dialect.name != "postgresql" or len(facts) == 1:
        written = conn.execute(_INSERT_TRANSFERS[conn.dialect.name], facts)
        return {row.idempotency_key: row.id for row in written}
    drawn = conn.execute(_DRAW_IDS, {"count": len(facts)}).scalars()
    by_id = dict(zip(drawn, facts, strict=True))
    rows = [{"id": number, **values} for number, values in by_id.items()]
    if conn.execute(_INSERT_WITH_ID, rows).rowcount == len(rows):
        return {values["idempotency_key"]: number for number, values in by_id.items()}
    mine = conn.execute(_FIND_IDS, {"ids": list(by_id)}).scalars()
    return {by_id[number]["idempotency_key"]: number for number in mine}


def record_transfer(  # noqa: PLR0913 - one row, every column by keyword
    conn: Connection,
    *,
    kind: TransferKind,
    key: str,
    at: datetime,
    amounts: Mapping[int, int],
    job_id: UUID | None = None,
    actor_id: UUID | None = None,
    reason: str = "",
) -> None:
    """Write a transfer and its entries by account; nothing when the key was used before."""
    record_transfers(conn, [NewTransfer(kind, key, at, amounts, job_id, actor_id, reason)])


def record_and_move(conn: Connection, transfers: Sequence[NewTransfer]) -> None:
    """Write transfers whose keys are new, and change the balances by the sum of them all at once.

    What may not go below zero can so be taken by one and given by another.
    """
    record_transfers(conn, transfers)
    total: Counter[int] = Counter()
    for transfer in transfers:
        total.update(transfer.amounts)
    move(conn, total)


def open_account(
    conn: Connection, *, owner: tuple[AccountOwner, UUID], kind: AccountKind, asset: str, overdraft: int = 0
) -> int:
    """The id of an owner's account, made with balance zero if there is none."""
    owner_kind, owner_id = owner
    key = {"owner_kind": owner_kind, "owner_id": owner_id, "kind": kind, "asset": asset}
    made = insert_once(_ACCOUNTS)[conn.dialect.name].returning(_ACCOUNTS.c.id)
    account_id: int | None = conn.execute(
        made, {**key, "balance": 0, "overdraft": overdraft}
    ).scalar_one_or_none()
    if account_id is None:
        found = select(_ACCOUNTS.c.id).where(*(_ACCOUNTS.c[name] == value for name, value in key.items()))
        account_id = conn.execute(found).scalar_one()
    return account_id


def move_once(conn: Connection, transfer: NewTransfer) -> bool:
    """Write one transfer and change the balances, unless the same was done before: False then.

    What may not go below zero must be locked and checked by the caller.

    Raises:
        KeyReused: its key came before, with other amounts.
    """
    if not record_transfers(conn, [transfer]):
        require_same(conn, transfer)
        return False
    move(conn, transfer.amounts)
    return True


def is_recorded(conn: Connection, transfer: NewTransfer) -> bool:
    """Whether this very transfer was written before.

    Raises:
        KeyReused: its key was, with other amounts.
    """
    if not is_key_used(conn, transfer.key):
        return False
    require_same(conn, transfer)
    return True


def is_key_used(conn: Connection, key: str) -> bool:
    """Whether a transfer with that key was written before, whatever it moved."""
    found = select(_TRANSFERS.c.id).where(_TRANSFERS.c.idempotency_key == key)
    return conn.execute(found).first() is not None


def recorded_amounts(conn: Connection, kind: TransferKind, key: str) -> dict[int, int]:
    """What the transfer of this kind and key did, by account; empty when there is none."""
    entries = (
        select(_ENTRIES.c.account_id, _ENTRIES.c.amount)
        .join_from(_ENTRIES, _TRANSFERS, _TRANSFERS.c.id == _ENTRIES.c.transfer_id)
        .where(_TRANSFERS.c.idempotency_key == key, _TRANSFERS.c.kind == kind)
    )
    return {row.account_id: row.amount for row in conn.execute(entries)}


def require_same(conn: Connection, transfer: NewTransfer) -> None:
    """Compare what a key moved before with what it shall move now.

    Raises:
        KeyReused: it is not the same.
    """
    stored = recorded_amounts(conn, transfer.kind, transfer.key)
    if stored != {account: amount for account, amount in transfer.amounts.items() if amount}:
        raise KeyReused(transfer.key)
