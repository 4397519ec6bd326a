"""The layout-rules template's rendered script on the real KLayout: layouts with a known number of errors."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from klayout import db, rdb

from tests.integration.workloads.runner import prepare, run_task
from tests.integration.workloads.test_layout_check_runs import TECHNOLOGY, with_metal
from workloads.eda.layout_rules import LayoutRules
from workloads.template import Results, Verdict

TEMPLATE = LayoutRules()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def layout(
    tmp_path: Path, ending: str = "gds", **cells: dict[tuple[int, int], list[tuple[float, ...]]]
) -> str:
    """Base64 of a layout with these boxes (left, bottom, right, top in µm) by layer in each cell."""
    made = db.Layout()
    for name, layers in cells.items():
        cell = made.create_cell(name)
        for layer, boxes in layers.items():
            for box in boxes:
                cell.shapes(made.layer(*layer)).insert(db.DBox(*box))
    path = tmp_path / f"made.{ending}"
    made.write(str(path))
    return base64.encodebytes(path.read_bytes()).decode()


def check(
    workspace: Path, text: str | None = None, name: str = "a.gds.b64", **raw: object
) -> tuple[int, Results]:
    given = {} if text is None else {"sources": {name: text}, "layout": name}
    params = TEMPLATE.validate({**given, **raw})
    spec = TEMPLATE.render(params)
    prepare(workspace, spec)
    ended = run_task(workspace, spec, path=PATH)
    return ended.exit_code, TEMPLATE.parse(workspace, params)


def broken(results: Results) -> dict[str, int]:
    return {str(name): int(count or 0) for name, _, count in results.tables[0].rows}


def test_the_example_keeps_the_rules_of_its_process(tmp_path: Path) -> None:
    code, results = check(tmp_path)
    assert (code, results.tasks[0].verdict) == (0, Verdict.PASS)
    assert set(broken(results).values()) == {0}


BAD: dict[tuple[int, int], list[tuple[float, ...]]] = {
    (1, 0): [
        *((x, 0, x + 0.2, 3) for x in (0, 1, 2, 3)),  # four wires of 0.2
        *((x, 10, x + 1, 11) for x in (0, 1.2, 2.4, 3.6)),  # four squares, three spaces of 0.2
        (10, 0, 10.5, 0.5),  # 0.25 µm²
    ],
    (2, 0): [(30, 0, 30.2, 0.2), (40.05, 0.05, 40.25, 0.25), (50, 0, 50.2, 0.2)],
    (3, 0): [(29.9, -0.1, 30.3, 0.3), (40, 0, 40.4, 0.4)],
}
RULES = [
    "W width 1/0 0.3",
    "S space 1/0 0.3",
    "A area 1/0 0.3",
    "E enclosure 3/0 2/0 0.1",
    "I inside 2/0 3/0",
    "D separation 1/0 2/0 5",
    "G grid 2/0 0.1",
]


@pytest.mark.parametrize("ending", ["gds", "oas"])
def test_every_check_counts_what_was_planted(tmp_path: Path, ending: str) -> None:
    """Tolerance: none.

    E: two sides of the second contact are 0.05 from its metal's, and the third has none. I: the third. G: the
    four corners of the second contact.
    """
    text = layout(tmp_path, ending, top=BAD)
    code, results = check(tmp_path / "job", text, f"a.{ending}.b64", rules=RULES)
    [task] = results.tasks
    assert (code, task.verdict) == (1, Verdict.FAIL)
    assert broken(results) == {"W": 4, "S": 3, "A": 1, "E": 3, "I": 1, "D": 0, "G": 4}
    places = {row for row in results.tables[1].rows if row[0] == "S"}
    assert places == {("S", x, 10, round(x + 0.2, 6), 11) for x in (1, 2.2, 3.4)}
    report = rdb.ReportDatabase("read back")
    report.load(str(tmp_path / "job/reports/rules.lyrdb"))
    assert report.num_items() == 16
    assert {one.path: one.kind for one in task.artefacts}["reports/rules.lyrdb"] == "report"


def test_magic_and_klayout_find_the_same_broken_rules(tmp_path: Path) -> None:
    """Two tools and decks, one cell: metal 0.2 µm from other metal and a wire 0.2 µm wide, instead of 0.3."""
    (tmp_path / "and2.mag").write_text(with_metal("46 8 49 20", "-16 18 -14 30"))
    (tmp_path / "run.tcl").write_text("load and2\ngds write and2\nquit -noprompt\n")
    command = ["magic", "-dnull", "-noconsole", "-rcfile", f"{TECHNOLOGY}/osu018.magicrc", "run.tcl"]
    subprocess.check_output(command, cwd=tmp_path, stdin=subprocess.DEVNULL)
    text = base64.encodebytes((tmp_path / "and2.gds").read_bytes()).decode()
    _, results = check(tmp_path / "job", text)
    assert {name for name, count in broken(results).items() if count} == {"M1.S", "M1.W"}


def test_rules_of_layers_that_the_layout_has_not_are_no_verdict(tmp_path: Path) -> None:
    code, results = check(tmp_path, rules=["X width 200/7 1"])
    assert (code, results.tasks[0].verdict) == (0, Verdict.NO_VERDICT)
    assert results.tasks[0].failure
    assert results.tasks[0].failure.signature == "no verdict: the layers of the rules are empty"


@pytest.mark.parametrize(
    ("text", "raw", "words"),
    [
        pytest.param("!", {}, "is not base64", id="no base64"),
        pytest.param(base64.b64encode(b"no layout at all").decode(), {}, "RuntimeError", id="no GDS"),
        pytest.param(None, {"top": "absent"}, "no cell absent; the top cells are: and2", id="no such cell"),
    ],
)
def test_a_layout_that_cannot_be_read_is_an_error_with_its_reason(
    tmp_path: Path, text: str | None, raw: dict[str, Any], words: str
) -> None:
    code, results = check(tmp_path, text, **raw)
    assert (code, results.tasks[0].verdict) == (2, Verdict.FAIL)
    assert results.tasks[0].failure
    assert words in results.tasks[0].failure.line


def test_two_cells_that_nothing_holds_need_a_choice(tmp_path: Path) -> None:
    text = layout(tmp_path, one={(1, 0): [(0, 0, 1, 1)]}, two={(1, 0): [(0, 0, 0.1, 1)]})
    rules = ["W width 1/0 0.3"]
    assert check(tmp_path / "neither", text, rules=rules)[0] == 2
    assert check(tmp_path / "one", text, rules=rules, top="one")[0] == 0
    assert check(tmp_path / "two", text, rules=rules, top="two")[0] == 1


def test_a_node_without_klayout_says_so(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "mkdir", "rm", "mv", "base64"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    (tools / "python").write_text(
        "#!/bin/bash\necho \"ModuleNotFoundError: No module named 'klayout'\" >&2\nexit 1\n"
    )
    (tools / "python").chmod(0o755)
    params = TEMPLATE.validate({})
    spec = TEMPLATE.render(params)
    prepare(tmp_path / "job", spec)
    assert run_task(tmp_path / "job", spec, path=str(tools)).exit_code == 127
    [task] = TEMPLATE.parse(tmp_path / "job", params).tasks
    assert task.failure
    assert task.failure.signature == "tool missing: klayout"
