"""Tables: where they live, where their keys point, and one line of migrations."""

import ast
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from hpc_portal.app.schema import alembic_config
from hpc_portal.app.table_modules import TABLE_MODULES
from scripts.write_docs import PACKAGES, ROOT

MAY_POINT_TO = {"quotas": {"quotas"}, "hpc_portal": {"hpc_portal", "quotas"}}
"""A foreign key points where an import may point."""


def owner_of(table: str) -> str:
    """The package that defines this table."""
    for module in TABLE_MODULES:
        classes = [value for value in vars(module).values() if isinstance(value, type)]
        if any(c.__module__ == module.__name__ and getattr(c, "__tablename__", "") == table for c in classes):
            return module.__name__.partition(".")[0]
    message = f"table {table} is in no module that a table_modules.py names"
    raise LookupError(message)


def test_a_foreign_key_points_where_an_import_may_point() -> None:
    wrong = [
        f"{table.name}.{key.parent.name} -> {key.column.table.name}"
        for table in SQLModel.metadata.tables.values()
        for key in table.foreign_keys
        if owner_of(key.column.table.name) not in MAY_POINT_TO[owner_of(table.name)]
    ]
    assert wrong == []


def test_tables_are_defined_where_every_schema_finds_them() -> None:
    allowed = {Path(str(module.__file__)).relative_to(ROOT) for module in TABLE_MODULES}
    found = {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if any(_defines_a_table(node) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    }
    assert found == allowed


def _defines_a_table(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(keyword.arg == "table" for keyword in node.keywords)


def test_migrations_have_one_head() -> None:
    scripts = ScriptDirectory.from_config(alembic_config("sqlite://"))
    assert len(scripts.get_heads()) == 1
