"""The formal template's rendered script on the real Yosys and z3, beside the tools run by hand."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import run_all
from workloads.eda.formal import Formal
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = Formal()
BY_HAND = "read_verilog -sv -formal -D BUG_LEVEL fifo.sv; prep -flatten -top fifo; async2sync; dffunmap; "
VACUOUS = """module a(input x);
  always @* begin assume (x); assume (!x); assert (0); end
endmodule
"""
UNREACHABLE = "module a(input x); always @* cover (x && !x); endmodule\n"
SILENT = "module a(input x, output y); assign y = x; endmodule\n"


def check(workspace: Path, **raw: object) -> tuple[int, Results]:
    params = TEMPLATE.validate(raw)
    [ended] = run_all(workspace, TEMPLATE.render(params)).values()
    return ended.exit_code, TEMPLATE.parse(workspace, params)


def test_the_example_is_proven_for_all_time_and_full_can_be_reached(tmp_path: Path) -> None:
    code, results = check(tmp_path, depth=10)
    assert (code, results.tasks[0].verdict) == (0, Verdict.PASS)
    assert [row[:2] for row in results.tables[0].rows] == [
        ("bmc", "PASSED"),
        ("induction", "PASSED"),
        ("cover", "PASSED"),
    ]
    assert {metric.name: metric.value for metric in results.metrics}["formal__assert__count"] == 4


def test_the_planted_bug_has_the_shortest_counterexample_and_the_same_as_by_hand(tmp_path: Path) -> None:
    """Tolerance: none. One step of reset, seven pushes, a push that meets a pop: wrong in step 9."""
    code, results = check(tmp_path / "job", defines=["BUG_LEVEL"], depth=12)
    [task] = results.tasks
    (tmp_path / "fifo.sv").write_text(shipped("fifo/fifo.sv"))
    subprocess.check_call(["yosys", "-q", "-p", BY_HAND + "write_smt2 -wires m.smt2"], cwd=tmp_path)
    solver = ["yosys-smtbmc", "-s", "z3", "-t", "12", "m.smt2"]
    by_hand = subprocess.run(solver, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    steps = re.findall(r"Checking assertions in step (\d+)", by_hand)
    failed = re.search(r"Assert failed in fifo: fifo\.sv:(\S+)", by_hand)
    assert failed
    assert (code, task.verdict) == (1, Verdict.FAIL)
    assert (
        {metric.name: metric.value for metric in results.metrics}["formal__bmc__step"] == int(steps[-1]) == 9
    )
    assert task.failure
    assert task.failure.signature == f"Assert failed in fifo: design/fifo.sv:{failed[1]}"
    trace = next(one.path for one in task.artefacts if one.kind == "waveform")
    assert "$enddefinitions" in (tmp_path / "job" / trace).read_text()


def test_a_bug_beyond_the_depth_is_neither_proven_nor_refuted(tmp_path: Path) -> None:
    code, results = check(tmp_path, defines=["BUG_LEVEL"], depth=3)
    assert (code, results.tasks[0].verdict) == (3, Verdict.NO_VERDICT)


@pytest.mark.parametrize(
    ("text", "code", "verdict", "words"),
    [
        pytest.param(SILENT, 3, Verdict.NO_VERDICT, "there is nothing to check", id="no assertion"),
        pytest.param(VACUOUS, 3, Verdict.NO_VERDICT, "the assumptions contradict", id="contradiction"),
        pytest.param(UNREACHABLE, 1, Verdict.FAIL, "Unreached cover", id="unreachable cover"),
        pytest.param("module a(;\n", 2, Verdict.FAIL, "syntax error", id="syntax"),
        pytest.param("module b; endmodule\n", 2, Verdict.FAIL, "a", id="no such top module"),
    ],
)
def test_passing_with_nothing_proven_is_no_pass(
    tmp_path: Path, text: str, code: int, verdict: Verdict, words: str
) -> None:
    ended, results = check(tmp_path, sources={"a.sv": text}, top="a", depth=3)
    [task] = results.tasks
    assert (ended, task.verdict) == (code, verdict)
    assert task.failure
    assert words in task.failure.signature + task.failure.line
