"""Prices and limits from the terminal: published from a CSV, shown to people, limits set and taken away."""

from pathlib import Path

import pytest

from hpc_portal.cli.exits import Exit
from tests.integration.cli.conftest import Ran, run_program

pytestmark = pytest.mark.xdist_group("cli-prices")

HEADER = "tres,partition,rate_vnd_per_hour\n"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    state_dir = tmp_path / "state"
    assert operator(state_dir, "db", "upgrade").code == Exit.OK
    return state_dir


def operator(state_dir: Path, *arguments: str, stdin: str = "") -> Ran:
    environment = {"HPC_PORTAL_STATE_DIR": str(state_dir)}
    return run_program("hpc-portal", *arguments, environment=environment, stdin=stdin)


def test_prices_are_published_exported_edited_and_retired(state_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(f"{HEADER}cpu,,360\nmem,,36\ngres/gpu:h100,gpu,50000\n")
    asked = operator(state_dir, "prices", "publish", str(file))
    assert asked.code == Exit.USAGE
    assert "Nothing was published" in asked.stderr
    done = operator(state_dir, "prices", "publish", str(file), "--yes")
    assert done.code == Exit.OK, done.stderr
    assert "Version 1 is published." in done.stderr
    assert operator(state_dir, "prices", "export").stdout == (
        f"{HEADER}cpu,,360\ngres/gpu:h100,gpu,50000\nmem,,36\n"
    )
    file.write_text(f"{HEADER}cpu,,400\n")
    future = operator(state_dir, "prices", "publish", str(file), "--yes", "--from", "2099-01-01T00:00")
    assert "400 ₫" in future.stderr
    listed = operator(state_dir, "prices", "list", "--json").json
    assert [(item["version"], item["standing"]) for item in listed] == [(2, "coming"), (1, "in_force")]
    assert operator(state_dir, "prices", "retire", "2", "--reason", "a slip").code == Exit.OK
    only = operator(state_dir, "prices", "retire", "1", "--reason", "none left")
    assert only.code == Exit.FAILED
    assert "only one in force" in only.stderr


WRONG_FILES = {
    "cpu,360\n": "The first line must be",
    f"{HEADER}cpu,,-1\n": "Line 2: -1 is no whole number.",
    f"{HEADER}cpu,,1.5\n": "Line 2: 1.5 is no whole number.",
    f"{HEADER}cpu,,1\ngold,,1\n": "Line 3:",
    f"{HEADER}cpu,,1\ncpu,,2\n": "two prices",
}


def test_a_wrong_file_says_where_and_publishes_nothing(state_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    for content, said in WRONG_FILES.items():
        file.write_text(content)
        done = operator(state_dir, "prices", "publish", str(file), "--yes")
        assert done.code != Exit.OK
        assert said in done.stderr
    assert operator(state_dir, "prices", "list", "--json").json == []


def test_subsidies_and_limits_of_every_level_are_set_and_ended(state_dir: Path) -> None:
    assert operator(state_dir, "org", "add", "dut", "--name", "Bách khoa", "--kind", "university").code == 0
    made = operator(
        state_dir, "prices", "subsidy", "add", "12.5", "--kind", "university", "--reason", "research"
    )
    assert made.code == Exit.OK, made.stderr
    (rule,) = operator(state_dir, "prices", "subsidy", "list", "--json").json
    assert (rule["basis_points"], rule["standing"]) == (1250, "in_force")
    wrong = operator(state_dir, "prices", "subsidy", "add", "12.555", "--reason", "no")
    assert wrong.code == Exit.USAGE
    assert operator(state_dir, "prices", "subsidy", "end", "1", "--reason", "over").code == Exit.OK
    (rule,) = operator(state_dir, "prices", "subsidy", "list", "--json").json
    assert rule["standing"] == "past"

    for options in (("--organisation", "dut"), ("--everybody", "project")):
        done = operator(state_dir, "limit", "set", "walltime_seconds", "72:00:00", *options)
        assert done.code == Exit.OK, done.stderr
    assert operator(state_dir, "limit", "set", "gpus_running", "x", "--user", "an").code == Exit.USAGE
    assert operator(state_dir, "limit", "set", "gpus_running", "1").code == Exit.USAGE
    listed = operator(state_dir, "limit", "list", "--json").json
    assert [(one["level"], one["is_default"], one["value"]) for one in listed] == [
        ("organisation", False, 259_200),
        ("project", True, 259_200),
    ]
    gone = operator(state_dir, "limit", "set", "walltime_seconds", "none", "--organisation", "dut")
    assert "It was 3-00:00:00 before." in gone.stderr
