"""Budgets from the command line: changed, ended, verified, replayed; and which ends are paid for."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.cli.test_operator import operator

pytestmark = pytest.mark.xdist_group("cli-budgets")

WHY = ("--reason", "the tape-out was moved")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A project with 1,000 đồng and 10 CPU-hours."""
    for command in (
        ("db", "upgrade"),
        ("org", "add", "chipviet", "--name", "ChipViet", "--kind", "startup"),
        ("project", "add", "npu", "--org", "chipviet", "--name", "NPU"),
        ("grant", "npu", "--vnd", "1000", "--hours", "cpu=10", "--reason", "tape-out"),
    ):
        ran = operator(tmp_path, *command)
        assert ran.code == 0, ran.stderr
    return tmp_path


def test_an_allocation_is_changed_listed_and_closed(state: Path) -> None:
    (seen,) = operator(state, "allocation", "list", "--json").json
    number = seen["id"]
    for command in (
        ("increase", number, "--vnd", "500", "--key", "a", *WHY),
        ("increase", number, "--vnd", "500", "--key", "a", *WHY),
        ("extend", number, "--until", "2040-12-31", *WHY),
        ("hold-policy", number, "rolling", *WHY),
        ("suspend", number, *WHY),
        ("resume", number, *WHY),
    ):
        assert operator(state, "allocation", *command).code == 0, command
    shown = operator(state, "allocation", "show", number, "--json").json
    assert shown["lines"][0]["available"] == 1500
    assert shown["valid_to"] == "2040-12-31T17:00:00Z"
    refused = operator(state, "allocation", "reduce", number, "--vnd", "1501", *WHY)
    assert refused.code == 1
    assert "1.500 ₫ free" in refused.stderr
    assert operator(state, "allocation", "close", number, *WHY).code == 0
    assert operator(state, "allocation", "list", "--json").json == []
    assert "npu" in operator(state, "allocation", "list", "--ended").stdout


def test_the_ledger_is_verified_and_replayed(state: Path, tmp_path: Path) -> None:
    whole = operator(state, "ledger", "verify")
    assert whole.code == 0
    assert re.fullmatch(r"\d+:[0-9a-f]{64}", whole.stdout.strip())
    copy = f"sqlite:///{tmp_path / 'copy.db'}"
    ran = operator(state, "ledger", "replay", "--into", copy, "--json")
    assert ran.code == 0, ran.stderr
    assert ran.json == {"transfers": 1, "entries": 4, "records": 0, "wrong": []}


@pytest.mark.parametrize(
    ("harm", "of_the_ledger", "of_the_audit_log"),
    [
        ("UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'available'", True, False),
        ("DROP TRIGGER audit_record_refuses_update; UPDATE audit_record SET subject = 'rivals'", False, True),
    ],
)
def test_what_somebody_changed_behind_our_back_fails_the_verification(
    state: Path, harm: str, *, of_the_ledger: bool, of_the_audit_log: bool
) -> None:
    with closing(sqlite3.connect(state / "portal.db")) as database:
        database.executescript(harm)
    ran = operator(state, "ledger", "verify", "--json")
    assert ran.code == 1
    assert bool(ran.json["ledger"]) == of_the_ledger
    assert bool(ran.json["audit_log"]["broken"]) == of_the_audit_log


def test_a_site_decides_which_ends_are_paid_for(state: Path) -> None:
    assert (
        operator(
            state, "end-rules", "set", "node_fail", "--charged", "--give-back-hours", "4", "--reason", "board"
        ).code
        == 0
    )
    rules = {one["state"]: one for one in operator(state, "end-rules", "list", "--json").json}
    assert rules["NODE_FAIL"]["free_seconds_per_job"] == 4 * 3600
    assert operator(state, "end-rules", "set", "vanished", "--free", "--reason", "board").code == 2
