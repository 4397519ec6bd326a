"""Double entry: every movement is one transfer whose entries sum to zero, with cached balances beside it.

Accounts are always changed in the order of their ids, so that two transactions wait for each other
instead of deadlocking. Nothing here commits.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

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
_INSERT_TRANSFER = {
    dialect: statement.returning(_TRANSFERS.c.id) for dialect, statement in insert_once(_TRANSFERS).items()
}


def move_within_overdraft(conn: Connection, account: int, amount: int) -> bool:
    """Change a cached balance unless that takes it below its overdraft; False when it would, unchanged.

    The limit stands in the statement itself: the database decides, whoever else writes at the same time.
    """
    return conn.execute(_MOVE_WITHIN_OVERDRAFT, {"account": account, "amount": amount}).rowcount == 1


def move(conn: Connection, amounts: Mapping[int, int]) -> None:
    """Change cached balances by account, whatever they are; zero amounts touch nothing."""
    changes = [
        {"account": account, "amount": amount} for account, amount in sorted(amounts.items()) if amount
    ]
    if changes:
        conn.execute(_MOVE, changes)


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
) -> int | None:
    """Write a transfer and its entries by account; None when the key was used before, and nothing written."""
    facts = {
        "kind": kind,
        "idempotency_key": key,
        "effective_at": at,
        "booked_at": at,
        "job_id": job_id,
        "actor_id": actor_id,
        "reason": reason,
    }
    transfer_id: int | None = conn.execute(_INSERT_TRANSFER[conn.dialect.name], facts).scalar_one_or_none()
    if transfer_id is None:
        return None
    entries = [
        {"transfer_id": transfer_id, "account_id": account, "amount": amount}
        for account, amount in sorted(amounts.items())
        if amount
    ]
    if entries:
        conn.execute(_INSERT_ENTRIES, entries)
    return transfer_id


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
