"""Migrations run while the release before serves on: they take away only what nothing uses any more."""

import ast
import re
from pathlib import Path

import pytest

from hpc_portal.app.schema import MIGRATIONS

FILES = sorted((MIGRATIONS / "versions").glob("*.py"))
_TAKES_AWAY = re.compile(
    r"drop_column|drop_table|rename_table|new_column_name|nullable=False, existing|"
    r"DROP COLUMN|DROP TABLE|RENAME (TO|COLUMN)|SET NOT NULL",
)
_MAY = {"downgrade", "_rebuild"}
"""The second copies a table of SQLite, which cannot alter it in place, under the name that it had."""
_UNUSED_SINCE = "UNUSED_SINCE"
"""Such a migration names the release whose code stopped using what it takes away."""


def names_and_functions(path: Path) -> tuple[set[str], list[ast.FunctionDef]]:
    tree = ast.parse(path.read_text("utf-8"))
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return names, [node for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_upgrade_takes_nothing_from_the_release_before(path: Path) -> None:
    names, functions = names_and_functions(path)
    found = [
        f"{function.name}: {match[0]}"
        for function in functions
        if function.name not in _MAY
        for match in _TAKES_AWAY.finditer(ast.unparse(function))
    ]
    assert found == [] or _UNUSED_SINCE in names
