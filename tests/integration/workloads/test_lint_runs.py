"""The lint template's rendered script on the real Verilator, beside the tool run by hand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.workloads.runner import prepare, run_all, run_task
from workloads.eda.lint import Lint
from workloads.scripts import shipped
from workloads.template import Results, Verdict

TEMPLATE = Lint()
CARELESS = """module careless(input logic [7:0] a, input logic c, output logic [3:0] y, output logic z);
  assign y = a;
  always_comb if (c) z = 1'b1;
endmodule
"""


def lint(workspace: Path, **raw: object) -> tuple[int, Results]:
    params = TEMPLATE.validate(raw)
    [ended] = run_all(workspace, TEMPLATE.render(params)).values()
    return ended.exit_code, TEMPLATE.parse(workspace, params)


def test_the_example_is_clean_and_its_planted_bug_is_a_warning_that_can_be_waived(tmp_path: Path) -> None:
    code, results = lint(tmp_path / "clean")
    assert (code, results.tasks[0].verdict, results.tables) == (0, Verdict.PASS, ())
    code, results = lint(tmp_path / "bug", defines=["BUG_LEVEL"])
    [[warning, file, line, _]] = results.tables[0].rows
    assert (code, results.tasks[0].verdict, warning, file) == (1, Verdict.FAIL, "WIDTH", "fifo.sv")
    assert "level == DEPTH - 1" in shipped("fifo/fifo.sv").splitlines()[int(line or 0) - 1]
    code, _ = lint(tmp_path / "waived", defines=["BUG_LEVEL"], waivers=[f"WIDTH fifo.sv:{line}"])
    assert code == 0


def test_the_warnings_are_exactly_those_of_the_tool_run_by_hand(tmp_path: Path) -> None:
    """Tolerance: none; code, line and text of every warning are equal."""
    _, results = lint(tmp_path / "job", sources={"careless.sv": CARELESS}, top="careless")
    (tmp_path / "careless.sv").write_text(CARELESS)
    by_hand = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "careless.sv"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    ).stderr
    expected = re.findall(r"^%Warning-(\w+): (\S+?):(\d+):\d+: (.*)$", by_hand, re.MULTILINE)
    assert len(expected) == 3
    assert [tuple(map(str, row)) for row in results.tables[0].rows] == expected


def test_a_code_that_is_not_chosen_is_listed_and_does_not_fail(tmp_path: Path) -> None:
    sources = {"careless.sv": CARELESS}
    code, results = lint(tmp_path, sources=sources, top="careless", fail_on=["UNOPTFLAT"])
    assert (code, results.tasks[0].verdict, len(results.tables[0].rows)) == (0, Verdict.PASS, 3)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(
            {"sources": {"fifo.sv": "module fifo; wire w = ; endmodule\n"}}, "syntax error", id="syntax"
        ),
        pytest.param({"top": "nothing"}, "nothing", id="no such top module"),
        pytest.param({"waivers": ["NOSUCHCODE fifo.sv"]}, "NOSUCHCODE", id="no such code in a waiver"),
    ],
)
def test_an_error_fails_with_verilator_s_words(tmp_path: Path, raw: dict[str, object], words: str) -> None:
    code, results = lint(tmp_path, **raw)
    failure = results.tasks[0].failure
    assert failure
    assert code == 1
    assert words in failure.line
    assert (tmp_path / failure.file).read_text().splitlines()[failure.line_number - 1] == failure.line


def test_a_node_without_verilator_names_it_before_anything_runs(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in ("bash", "mkdir", "rm", "mv"):
        (tools / program).symlink_to(shutil.which(program) or "")
    params = TEMPLATE.validate({})
    spec = TEMPLATE.render(params)
    prepare(tmp_path / "workspace", spec)
    ended = run_task(tmp_path / "workspace", spec, 0, str(tools))
    assert (ended.exit_code, "tool missing: verilator" in ended.output) == (127, True)
    [task] = TEMPLATE.parse(tmp_path / "workspace", params).tasks
    assert task.failure
    assert task.failure.signature == "tool missing: verilator"
