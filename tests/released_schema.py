"""What tables and constraints a database has, and what of a newer schema an older release cannot live with.

`python -m tests.released_schema COMMIT` records those of a released commit, whose migrations are still here,
for tests/integration/app/test_old_code.py: once after each release.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic import command
from sqlalchemy import inspect

from hpc_portal.app.db import create_engine
from hpc_portal.app.schema import alembic_config
from tests.postgres import running_server

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).parent / "integration" / "app" / "released_schema.json"

Table = Mapping[str, Any]
Schema = Mapping[str, Table]


def read_schema(url: str) -> Schema:
    """By table: columns, and what no row may break."""
    engine = create_engine(url)
    try:
        look = inspect(engine)
        return {
            name: {
                "columns": {
                    column["name"]: [
                        str(column["type"]),
                        bool(column["nullable"]),
                        column["default"] is not None or bool(column.get("autoincrement") is True),
                    ]
                    for column in look.get_columns(name)
                },
                "unique": sorted(
                    {
                        *(tuple(sorted(one["column_names"])) for one in look.get_unique_constraints(name)),
                        *(
                            tuple(sorted(part or "" for part in one["column_names"]))
                            for one in look.get_indexes(name)
                            if one["unique"] and not _is_partial(one)
                        ),
                    }
                ),
                "checks": {str(one["name"]): one["sqltext"] for one in look.get_check_constraints(name)},
                "foreign": sorted(
                    [*one["constrained_columns"], one["referred_table"]]
                    for one in look.get_foreign_keys(name)
                ),
            }
            for name in sorted(look.get_table_names())
            if name != "alembic_version"
        }
    finally:
        engine.dispose()


def _is_partial(index: Mapping[str, Any]) -> bool:
    return any(name.endswith("_where") for name in index.get("dialect_options", ()))


def not_additive(old: Schema, new: Schema) -> list[str]:
    """What the older code would trip over, each in a sentence; empty: it only has more. Pure."""
    problems = [f"table {name} is gone" for name in old if name not in new]
    for name in old.keys() & new.keys():
        problems += [f"{name}: {said}" for said in _of_table(old[name], new[name])]
    return sorted(problems)


def _of_table(old: Table, new: Table) -> Iterator[str]:
    for name, (kind, is_nullable, has_default) in old["columns"].items():
        if name not in new["columns"]:
            yield f"column {name} is gone"
            continue
        new_kind, is_still_nullable, has_new_default = new["columns"][name]
        if not _holds(new_kind, kind):
            yield f"column {name} was {kind} and is {new_kind}"
        if is_nullable and not is_still_nullable:
            yield f"column {name} must be filled now"
        if has_default and not has_new_default and not is_still_nullable:
            yield f"column {name} lost its default"
    for name, (_, is_nullable, has_default) in new["columns"].items():
        if name not in old["columns"] and not is_nullable and not has_default:
            yield f"new column {name} must be filled, which the older code does not"
    yield from _of_rules(old, new)


def _of_rules(old: Table, new: Table) -> Iterator[str]:
    known = {tuple(one) for one in old["unique"]}
    optional = {name for name, (_, is_nullable, _) in new["columns"].items() if is_nullable} - set(
        old["columns"]
    )
    for columns in new["unique"]:
        if tuple(columns) not in known and not optional & set(columns):
            yield f"{', '.join(columns)} must be unique now"
    for name, text in new["checks"].items():
        words = set(re.findall(r"\w+", re.sub(r"'[^']*'", "", text)))
        if not words & set(old["columns"]):
            continue
        before = old["checks"].get(name)
        if before is None:
            yield f"new check {name}"
        elif before != text and not _choices(before) < _choices(text):
            yield f"check {name} is another"
    for one in new["foreign"]:
        if one not in [list(each) for each in old["foreign"]] and set(one[:-1]) <= set(old["columns"]):
            yield f"new foreign key of {', '.join(one[:-1])}"


def _choices(check: str) -> frozenset[str]:
    return frozenset(re.findall(r"'([^']*)'", check))


def _holds(new: str, old: str) -> bool:
    """Whether a column of the new type holds whatever one of the old type did."""
    wider = re.match(r"VARCHAR\((\d+)\)$", old), re.match(r"VARCHAR\((\d+)\)$", new)
    if wider[0] and wider[1]:
        return int(wider[1][1]) >= int(wider[0][1])
    return new == old or (new == "TEXT" and wider[0] is not None) or (old, new) == ("INTEGER", "BIGINT")


def schema_at(url: str, revision: str) -> Schema:
    """Bring an empty database to a revision, and read it."""
    command.upgrade(alembic_config(url), revision)
    return read_schema(url)


def record(commit: str) -> None:
    """Write down what this commit's migrations make."""
    listed = _git("ls-tree", "--name-only", commit, "hpc_portal/app/migrations/versions/")
    revision = max(Path(line).name[:4] for line in listed.split() if line.endswith(".py"))
    with (
        TemporaryDirectory(prefix="release-") as folder,
        running_server() as server,
        server.database(None) as url,
    ):
        found: dict[str, Any] = {
            "commit": _git("rev-parse", commit).strip(),
            "revision": revision,
            "sqlite": schema_at(f"sqlite:///{folder}/portal.db", revision),
            "postgresql": schema_at(url, revision),
        }
    lines = [f'"{key}": {json.dumps(found[key])}' for key in ("commit", "revision")]
    for dialect in ("sqlite", "postgresql"):
        tables = ",\n".join(f'"{name}": {json.dumps(table)}' for name, table in found[dialect].items())
        lines.append(f'"{dialect}": {{\n{tables}\n}}')
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


if __name__ == "__main__":
    record(sys.argv[1])
