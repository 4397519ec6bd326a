"""Triggers that make the database itself refuse to rewrite the ledger."""

from collections.abc import Iterable

APPEND_ONLY_TABLES = (
    "transfer",
    "entry",
    "accounting_record",
    "closed_month",
    "closed_statement",
    "allocation_event",
    "storage_sample",
)
"""Of the ledger; each migration names those that it protects."""

_POSTGRESQL_FUNCTION = """\
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = TG_TABLE_NAME || ' is append-only',
        ERRCODE = 'integrity_constraint_violation';
END
$$"""

_CREATE_SQLITE = (
    (
        "CREATE TRIGGER {table}_refuses_update BEFORE UPDATE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    ),
    (
        "CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    ),
)
_CREATE_POSTGRESQL = (
    (
        "CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    ),
    (
        "CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    ),
)
_DROP_SQLITE = ("DROP TRIGGER {table}_refuses_update", "DROP TRIGGER {table}_refuses_delete")
_DROP_POSTGRESQL = (
    "DROP TRIGGER {table}_refuses_change ON {table}",
    "DROP TRIGGER {table}_refuses_truncate ON {table}",
)


def append_only_ddl(dialect: str, tables: Iterable[str] = APPEND_ONLY_TABLES) -> list[str]:
    """Statements that protect the tables, for "sqlite" or "postgresql"; each is one for the driver.

    An UPDATE or DELETE (and TRUNCATE, on PostgreSQL) then fails as an IntegrityError.
    """
    match dialect:
        case "sqlite":
            return _for_each(tables, _CREATE_SQLITE)
        case "postgresql":
            return [_POSTGRESQL_FUNCTION, *_for_each(tables, _CREATE_POSTGRESQL)]
        case _:
            raise _unknown(dialect)


def drop_append_only_ddl(dialect: str, tables: Iterable[str] = APPEND_ONLY_TABLES) -> list[str]:
    """Statements that undo `append_only_ddl`, for a downgrade; the function that triggers share stays."""
    match dialect:
        case "sqlite":
            return _for_each(tables, _DROP_SQLITE)
        case "postgresql":
            return _for_each(tables, _DROP_POSTGRESQL)
        case _:
            raise _unknown(dialect)


def _for_each(tables: Iterable[str], templates: tuple[str, ...]) -> list[str]:
    return [template.format(table=table) for table in tables for template in templates]


def _unknown(dialect: str) -> ValueError:
    return ValueError(f"no triggers are written for {dialect!r}")
