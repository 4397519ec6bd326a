"""Triggers by which the database itself refuses to change what a closed month says."""

_COLUMNS = {"usage_day": "posted_on", "usage_sum": "posted_on", "usage_asset": "month"}
"""By table, the column that tells the month."""
_ROWS = {"insert": "NEW", "update": "OLD", "delete": "OLD"}
"""By event, the row that must not be of a closed month; none ever moves to another month."""

_SQLITE_FREEZE = (
    "CREATE TRIGGER {table}_{event}_when_closed BEFORE {event} ON {table} "
    "WHEN {row}.{column} < (SELECT open_from FROM accounting_books) "
    "BEGIN SELECT RAISE(ABORT, 'a closed month of {table} never changes'); END"
)
_SQLITE_FORWARD = (
    "CREATE TRIGGER accounting_books_go_forward BEFORE UPDATE ON accounting_books "
    "WHEN NEW.open_from < OLD.open_from "
    "BEGIN SELECT RAISE(ABORT, 'a closed month never opens again'); END"
)
_SQLITE_STAY = (
    "CREATE TRIGGER accounting_books_stay BEFORE DELETE ON accounting_books "
    "BEGIN SELECT RAISE(ABORT, 'a closed month never opens again'); END"
)
_POSTGRESQL_FREEZE = (
    """\
CREATE OR REPLACE FUNCTION {table}_{event}_when_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {row}.{column} < (SELECT open_from FROM accounting_books) THEN
        RAISE EXCEPTION USING
            MESSAGE = 'a closed month of {table} never changes',
            ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN {returned};
END
$$""",
    """\
CREATE TRIGGER {table}_{event}_when_closed BEFORE {event} ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_{event}_when_closed()""",
)
_POSTGRESQL_FORWARD = (
    """\
CREATE OR REPLACE FUNCTION accounting_books_go_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.open_from < OLD.open_from THEN
        RAISE EXCEPTION USING
            MESSAGE = 'a closed month never opens again',
            ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$""",
    """\
CREATE TRIGGER accounting_books_go_forward BEFORE UPDATE OR DELETE ON accounting_books
FOR EACH ROW EXECUTE FUNCTION accounting_books_go_forward()""",
)


def freeze_ddl(dialect: str) -> list[str]:
    """Statements for "sqlite" or "postgresql"; a change of a closed month then fails as an IntegrityError."""
    if dialect == "sqlite":
        return [*_for_each((_SQLITE_FREEZE,)), _SQLITE_FORWARD, _SQLITE_STAY]
    return [*_for_each(_POSTGRESQL_FREEZE), *_POSTGRESQL_FORWARD]


def unfreeze_ddl(dialect: str) -> list[str]:
    """Statements that undo `freeze_ddl`, for a downgrade."""
    if dialect == "sqlite":
        drops = _for_each(("DROP TRIGGER {table}_{event}_when_closed",))
        return [
            *drops,
            "DROP TRIGGER accounting_books_go_forward",
            "DROP TRIGGER accounting_books_stay",
        ]
    return [
        *_for_each(("DROP FUNCTION {table}_{event}_when_closed CASCADE",)),
        "DROP FUNCTION accounting_books_go_forward CASCADE",
    ]


def _for_each(templates: tuple[str, ...]) -> list[str]:
    return [
        template.format(
            table=table,
            column=column,
            event=event,
            row=row,
            returned="OLD" if event == "delete" else "NEW",
        )
        for table, column in _COLUMNS.items()
        for event, row in _ROWS.items()
        for template in templates
    ]
