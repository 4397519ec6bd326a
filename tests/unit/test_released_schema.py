"""What an older release trips over in a newer schema is found, kind by kind; what is only more is not."""

import copy
from typing import Any

import pytest

from tests.released_schema import not_additive

OLD: dict[str, Any] = {
    "job": {
        "columns": {
            "id": ["UUID", False, False],
            "name": ["VARCHAR(64)", False, False],
            "note": ["TEXT", True, False],
            "count": ["INTEGER", False, True],
        },
        "unique": [["name"]],
        "checks": {"ck_state": "name IN ('a', 'b')"},
        "foreign": [["id", "other"]],
    }
}


def changed(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any column or rule
    new = copy.deepcopy(OLD)
    for part, entries in parts.items():
        if isinstance(entries, dict):
            new["job"][part] |= entries
        else:
            new["job"][part] = entries
    return new


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        OLD | {"more": OLD["job"]},
        changed(columns={"new": ["TEXT", True, False]}),
        changed(columns={"new": ["BIGINT", False, True]}),
        changed(columns={"name": ["VARCHAR(200)", False, False], "count": ["BIGINT", False, True]}),
        changed(columns={"name": ["VARCHAR(64)", True, False]}),
        changed(columns={"new": ["TEXT", True, False]}, unique=[["name"], ["new"], ["name", "new"]]),
        changed(checks={"ck_state": "name IN ('a', 'b', 'c')"}),
        changed(columns={"new": ["INTEGER", True, False]}, checks={"ck_new": "new > 0"}),
        changed(columns={"new": ["UUID", True, False]}, foreign=[["id", "other"], ["new", "other"]]),
        changed(unique=[], checks={}),
    ],
    ids=range(11),
)
def test_more_is_no_problem(new: dict[str, Any]) -> None:
    assert not_additive(OLD, new) == []


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({}, "table job is gone"),
        (changed(columns={"name": ["VARCHAR(32)", False, False]}), "was VARCHAR(64) and is VARCHAR(32)"),
        (changed(columns={"count": ["TEXT", False, True]}), "was INTEGER and is TEXT"),
        (changed(columns={"note": ["TEXT", False, True]}), "note must be filled now"),
        (changed(columns={"count": ["INTEGER", False, False]}), "count lost its default"),
        (changed(columns={"new": ["TEXT", False, False]}), "new column new must be filled"),
        (changed(unique=[["name"], ["note"]]), "note must be unique now"),
        (changed(columns={"new": ["TEXT", False, True]}, unique=[["name"], ["new"]]), "new must be unique"),
        (changed(checks={"ck_new": "count > 0"}), "new check ck_new"),
        (changed(checks={"ck_state": "name IN ('a')"}), "check ck_state is another"),
        (changed(foreign=[["id", "other"], ["note", "other"]]), "new foreign key of note"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_older_code_trips_over_is_named(new: dict[str, Any], said: str) -> None:
    [problem] = not_additive(OLD, new)
    assert said in problem


def test_a_renamed_column_is_a_column_that_is_gone() -> None:
    new = copy.deepcopy(OLD)
    new["job"]["columns"]["remark"] = new["job"]["columns"].pop("note")
    assert not_additive(OLD, new) == ["job: column note is gone"]
