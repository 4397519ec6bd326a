"""When the last good backup ended: written down where it was made, read by whoever watches."""

import socket
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func, insert, select
from sqlmodel import col

from hpc_portal.app.backup.make_backup import MadeBackup
from hpc_portal.app.backup.tables import BackupRun
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.tables import User

_MACHINE_CHARACTERS = 64


def record_backup(engine: Engine, made: MadeBackup, *, ended_at: datetime, took_seconds: float) -> None:
    """Write down a backup that is safe on its disk.

    Raises:
        SQLAlchemyError: the database does not answer, or is older than this portal; the backup is good.
    """
    row = {
        "at": made.manifest.at,
        "ended_at": ended_at,
        "took_seconds": took_seconds,
        "size_bytes": sum(file.size for file in made.manifest.files),
        "folder": str(made.folder.absolute()),
        "machine": socket.gethostname()[:_MACHINE_CHARACTERS],
    }
    transact(engine, lambda connection: connection.execute(insert(BackupRun).values(row)))


def last_backup(connection: Connection) -> AnyRow | None:
    """The row of the newest one: `ended_at`, `took_seconds`, `size_bytes`, `folder`, `machine`."""
    columns = (BackupRun.ended_at, BackupRun.took_seconds, BackupRun.size_bytes)
    return connection.execute(
        select(*(col(one) for one in columns), col(BackupRun.folder), col(BackupRun.machine))
        .order_by(col(BackupRun.ended_at).desc())
        .limit(1)
    ).first()


def due_since(connection: Connection, *, late_hours: int) -> datetime | None:
    """From when on a backup is late, which may lie ahead; None: nobody asks, or nothing is there to lose.

    Of a portal that never had one the time runs from its first account.
    """
    if not late_hours:
        return None
    last = last_backup(connection)
    since = last.ended_at if last else connection.execute(select(func.min(col(User.created_at)))).scalar()
    return since + timedelta(hours=late_hours) if since else None
