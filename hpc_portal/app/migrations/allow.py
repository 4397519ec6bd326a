"""Changes which values a column of fixed words may have, on both databases, in place."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


def allow_words(table: str, column: str, words: Sequence[str], *, constraint: str) -> None:
    """Replace the CHECK constraint of an enum column.

    SQLite cannot alter a constraint, and to rebuild the table would drop the triggers and foreign keys that
    protect it. Its manual (lang_altertable, section 7) allows to rewrite the text of a constraint in the
    schema when no stored row breaks the new one, which whoever calls this has seen to.
    """
    listed = ", ".join(f"'{word}'" for word in words)
    allowed = f"{column} IN ({listed})"
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({allowed})")
        return
    old = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table"), {"table": table}
    ).scalar_one()
    head, mark, rest = old.partition(f"CONSTRAINT {constraint} CHECK (")
    if not mark:
        message = f"table {table} has no constraint {constraint}"
        raise LookupError(message)
    new = f"{head}{mark}{allowed}{rest[_end_of(rest) :]}"
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_master SET sql = :new WHERE type = 'table' AND name = :table"),
        {"new": new, "table": table},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    connection.exec_driver_sql("PRAGMA integrity_check").all()


def _end_of(text: str) -> int:
    """Where the parenthesis closes that was open before `text` begins."""
    depth = 1
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place
    raise ValueError(text)
