"""What a backup says about itself: its files with their hashes, and the sums of the books at that instant."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, func, inspect, select, text
from sqlmodel import col

from hpc_portal.app.audit_log.tables import AuditHead
from hpc_portal.app.backup.errors import NotABackup
from quotas.tables import LedgerAccount

NAME = "manifest.json"
_PIECE_BYTES = 1024**2


class Books(BaseModel):
    """Sums that are equal before and after, or something is missing."""

    model_config = ConfigDict(frozen=True)

    revision: str
    """The schema's."""
    rows: dict[str, int]
    """By table."""
    balances_sha256: str
    """Over every ledger account and its balance, in order."""
    available: dict[str, int]
    """What all allocations together can still spend, by asset; for people to compare."""
    audit_end: str
    """The audit log's last record, as `hpc-portal audit verify` takes it."""


class SavedFile(BaseModel):
    """One file of the backup."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """The whole; written last, so that a backup that was cut short has none."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    version: str
    """Of the portal that made it."""
    at: datetime
    dialect: Literal["sqlite", "postgresql"]
    files: list[SavedFile]
    books: Books


def read_books(connection: Connection) -> Books:
    """The sums in this connection's snapshot."""
    tables = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
    rows = {
        name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()  # noqa: S608 - our tables
        for name in tables
    }
    head = connection.execute(select(col(AuditHead.sequence), col(AuditHead.hash))).one_or_none()
    return Books(
        revision=connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one(),
        rows=rows,
        balances_sha256=_hash_of_balances(connection),
        available=_available(connection),
        audit_end=f"{head.sequence}:{head.hash}" if head else "",
    )


def _hash_of_balances(connection: Connection) -> str:
    hashed = hashlib.sha256()
    fields = (LedgerAccount.id, LedgerAccount.owner_id, LedgerAccount.kind, LedgerAccount.asset)
    accounts = select(*(col(field) for field in fields), col(LedgerAccount.balance)).order_by(
        col(LedgerAccount.id)
    )
    for row in connection.execute(accounts):
        hashed.update(f"{row.id} {row.owner_id} {row.kind.value} {row.asset} {row.balance}\n".encode())
    return hashed.hexdigest()


def _available(connection: Connection) -> dict[str, int]:
    sums = (
        select(col(LedgerAccount.asset), func.sum(col(LedgerAccount.balance)))
        .where(col(LedgerAccount.kind) == "available")
        .group_by(col(LedgerAccount.asset))
        .order_by(col(LedgerAccount.asset))
    )
    return {asset: int(amount) for asset, amount in connection.execute(sums)}


def saved_file(path: Path) -> SavedFile:
    """A file as it lies there."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            hashed.update(piece)
    return SavedFile(name=path.name, size=path.stat().st_size, sha256=hashed.hexdigest())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup whose files are all as it says.

    Raises:
        NotABackup: there is none, it cannot be read, or a file is missing or another.
    """
    try:
        manifest = Manifest.model_validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise NotABackup(f"{folder} is no backup: it has no {NAME}.") from None
    except ValidationError as problem:
        raise NotABackup(
            f"{folder / NAME} is not a manifest that this portal can read: {problem}"
        ) from problem
    for saved in manifest.files:
        path = folder / saved.name
        if Path(saved.name).name != saved.name or not path.is_file() or saved_file(path) != saved:
            raise NotABackup(f"{path} is missing, or is not the file that was saved.")
    return manifest
