"""How far this machine's clock and the database's are apart: each process may run on another machine."""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select


def seconds_apart(connection: Connection) -> float | None:
    """Half of the way to the database and back is taken off; None on SQLite, whose clock is ours."""
    if connection.dialect.name == "sqlite":
        return None
    before = datetime.now(UTC)
    theirs: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return abs((theirs - before - (datetime.now(UTC) - before) / 2).total_seconds())
