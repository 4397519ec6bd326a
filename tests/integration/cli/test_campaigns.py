"""`hpc campaign` on a running portal: a thousand simulations of real RTL, reruns, exports."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import junitparser
import pytest

from tests.integration.cli.conftest import Person

pytestmark = pytest.mark.xdist_group("cli-campaigns")
"""One portal for all of them."""

SEEDS = 112
REGRESSION = f"""\
seeds = {SEEDS}
plusargs = ["n=400"]
[tests.random]
[tests.burst]
[tests.drain]
[configurations.clean]
[configurations.level]
defines = ["BUG_LEVEL"]
[configurations.data]
defines = ["BUG_DATA"]
[groups]
smoke = ["random"]
"""
LEVEL = "TB_ERROR [LEVEL] t=* level mismatch: got * expected *"
DATA = "TB_ERROR [SCOREBOARD] t=* data mismatch: got * expected *"


def run_file(person: Person, name: str, text: str, *options: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    folder = person.home / name
    folder.mkdir(exist_ok=True)
    (folder / "regression.toml").write_text(text)
    done = person.hpc("campaign", "run", str(folder / "regression.toml"), "-J", name, *options, "--json")
    assert done.code == code, done.stderr
    return done.json if code == 0 else done.stderr


def shown(person: Person, campaign: str, *options: str) -> dict[str, Any]:
    done = person.hpc("campaign", "show", campaign, *options, "--json")
    assert done.code == 0, done.stderr
    found: dict[str, Any] = done.json
    return found


def read_to_the_end(person: Person, campaign: str, runs: int = 1) -> dict[str, Any]:
    """The campaign once its results are all read, which is a moment after its jobs ended."""
    deadline = time.monotonic() + 120
    while True:
        found = shown(person, campaign)
        if len(found["runs"]) == runs and all(run["is_read"] for run in found["runs"]):
            return found
        assert time.monotonic() < deadline, found["runs"]
        time.sleep(0.2)


def test_a_thousand_simulations_group_each_planted_bug_apart_and_run_again_with_waves(
    designer: Person, tmp_path: Path
) -> None:
    submitted = run_file(designer, "thousand", REGRESSION, "-p", "resources.memory_mib=64")
    campaign = submitted["id"]
    found = read_to_the_end(designer, campaign)
    (run,) = found["runs"]
    assert run["tasks_total"] == 9 * SEEDS >= 1000
    assert run["passed"] + run["failed"] == 9 * SEEDS
    exported = designer.hpc("campaign", "export", campaign, "-f", "json").json["tasks"]
    failed = [task for task in exported if task["signature"]]
    causes = Counter((task["test"].partition("/")[2], task["signature"]) for task in failed)
    assert set(causes) == {("level", LEVEL), ("data", DATA)}, "one bug, one group; no group has two"
    assert {group["signature"]: group["count"] for group in found["failures"]} == {
        LEVEL: causes["level", LEVEL],
        DATA: causes["data", DATA],
    }
    clean = [task["verdict"] for task in exported if task["test"].endswith("/clean")]
    assert clean == ["pass"] * (3 * SEEDS)

    junit = tmp_path / "junit.xml"
    assert designer.hpc("campaign", "export", campaign, "-o", str(junit)).code == 0
    suites = junitparser.JUnitXml.fromfile(str(junit))
    assert (suites.tests, suites.failures, suites.errors) == (9 * SEEDS, run["failed"], 0)
    assert len(list(suites)) == 9


def test_failures_run_again_with_the_same_seeds_and_leave_waves(designer: Person) -> None:
    text = "seeds = 3\n[tests.random]\n[configurations.level]\ndefines = ['BUG_LEVEL']\n"
    campaign = run_file(designer, "again", text)["id"]
    first = read_to_the_end(designer, campaign)
    again = designer.hpc("campaign", "rerun", campaign, "--wait")
    job = again.stdout.split()[0]
    second = read_to_the_end(designer, campaign, runs=2)
    assert [run["failed"] for run in second["runs"]] == [3, 3]
    (before,), (now,) = first["failures"], shown(designer, campaign, "--run", "1")["failures"]
    for example in ("first", "shortest"):
        assert now[example]["line"] == before[example]["line"], "the same time and the same wrong value"
    artefacts = [task["artefacts"] for task in designer.hpc("results", job, "--json").json["tasks"]]
    assert [[one["kind"] for one in of_task] for of_task in artefacts] == [["log", "waveform"]] * 3


def test_a_night_is_compared_with_the_one_before(designer: Person) -> None:
    text = "seeds = 2\n[tests.random]\nplusargs = ['n=400']\n[configurations.c]\n"
    for defines in ("defines = ['BUG_LEVEL']\n", ""):
        campaign = run_file(designer, "night", text + defines)["id"]
        read_to_the_end(designer, campaign)
    found = designer.hpc("campaign", "compare", campaign, "--json").json
    assert [found[name]["count"] for name in ("newly_failing", "still_failing", "newly_passing")] == [0, 0, 2]
    assert found["gone_causes"] == [LEVEL]
    said = designer.hpc("campaign", "compare", campaign).stdout
    assert "newly passing" in said
    assert "random 1" in said
    history = designer.hpc("campaign", "history", campaign, "--csv", "-").stdout.splitlines()
    assert [line.split(",")[3:5] for line in history[1:]] == [["0", "2"], ["2", "2"]]
    assert "100.0 %" in designer.hpc("campaign", "history", campaign).stdout


def test_what_is_wrong_with_a_file_is_said_with_its_line_and_key(designer: Person) -> None:
    said = run_file(designer, "wrong", "[tests.random]\nsedes = 3\n", code=4)
    assert "2: tests.random.sedes" in said


def test_another_tenant_finds_no_campaign(designer: Person, rival: Person) -> None:
    campaign = run_file(designer, "mine", "[tests.random]\n")["id"]
    listed = [item["id"] for item in designer.hpc("campaign", "list", "--json").json]
    assert listed[0] == campaign
    assert rival.hpc("campaign", "list", "--json").json == []
    for command in (["show"], ["rerun"], ["stop"], ["export"]):
        assert rival.hpc("campaign", *command, campaign).code == 5


def test_sweeps_and_corners_are_listed_with_regressions_and_shown_by_their_job(designer: Person) -> None:
    regression = run_file(designer, "beside", "[tests.random]\n")["id"]
    made = designer.hpc("submit", "-t", "spice", "-p", "name=ring", "-p", "corners=tt")
    assert made.code == 0, made.stderr
    corners = made.stdout.split()[-1]
    newest = designer.hpc("campaign", "list", "-n", "2", "--json").json
    assert [(one["id"], one["kind"], len(one["runs"])) for one in newest] == [
        (corners, "corners", 0),
        (regression, "regression", 1),
    ]
    assert {one["kind"] for one in designer.hpc("campaign", "list", "--kind", "corners", "--json").json} == {
        "corners"
    }
    assert "ring" in designer.hpc("campaign", "list", "--kind", "corners").stdout
    said = designer.hpc("campaign", "show", corners[-8:])
    assert (said.code, f"hpc results {corners}" in said.stderr) == (2, True)
