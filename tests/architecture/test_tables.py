"""Tables: where they live, where their keys point, and one line of migrations."""

import ast
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import hpc_portal.app.tables
import quotas.tables
from hpc_portal.app.schema import alembic_config
from scripts.write_docs import PACKAGES, ROOT

TABLE_MODULES = {"quotas": quotas.tables, "hpc_portal": hpc_portal.app.tables}
MAY_POINT_TO = {"quotas": {"quotas"}, "hpc_portal": {"hpc_portal", "quotas"}}
"""A foreign key points where an import may point."""


def owner_of(table: str) -> str:
    """The package whose tables module defines this table."""
    for package, module in TABLE_MODULES.items():
        classes = [value for value in vars(module).values() if isinstance(value, type)]
        if any(c.__module__ == module.__name__ and getattr(c, "__tablename__", "") == table for c in classes):
            return package
    message = f"table {table} is defined in no tables.py"
    raise LookupError(message)


def test_a_foreign_key_points_where_an_import_may_point() -> None:
    wrong = [
        f"{table.name}.{key.parent.name} -> {key.column.table.name}"
        for table in SQLModel.metadata.tables.values()
        for key in table.foreign_keys
        if owner_of(key.column.table.name) not in MAY_POINT_TO[owner_of(table.name)]
    ]
    assert wrong == []


def test_tables_are_defined_in_the_two_tables_modules_only() -> None:
    allowed = {Path("quotas/tables.py"), Path("hpc_portal/app/tables.py")}
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
