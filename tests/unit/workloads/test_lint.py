"""The lint template: what it renders, refuses and reads back."""

from pathlib import Path

import pytest

from workloads.eda.lint import Lint
from workloads.errors import InvalidParameters
from workloads.template import Failure, Verdict

TEMPLATE = Lint()
LOG = """%Warning-WIDTH: design/a.sv:3:12: Operator ASSIGNW expects 4 bits.
    3 |   assign y = a;
%Warning-LATCH: design/b.sv:4: Latch inferred for signal 'z'
%Error: design/b.sv:9:1: syntax error
%Error: Cannot find include file: nothing.svh
%Error: Exiting due to 4 error(s)
"""


def written(workspace: Path, log: str, **facts: object) -> Path:
    for folder in ("logs", "results"):
        (workspace / folder).mkdir(parents=True)
    (workspace / "logs/lint.log").write_text(log)
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    return workspace


def test_waivers_become_verilator_s_own_lines_and_come_before_the_sources() -> None:
    waivers = ["WIDTH rtl/a.sv", "LATCH rtl/a.sv:7", "UNUSED b.sv:7-9"]
    spec = TEMPLATE.render(TEMPLATE.validate({"sources": {"rtl/a.sv": "", "b.sv": ""}, "waivers": waivers}))
    files = {one.path: one.content for one in spec.inputs}
    assert files["lint/waivers.vlt"].splitlines() == [
        "`verilator_config",
        'lint_off -rule WIDTH -file "design/rtl/a.sv"',
        'lint_off -rule LATCH -file "design/rtl/a.sv" -lines 7',
        'lint_off -rule UNUSED -file "design/b.sv" -lines 7-9',
    ]
    assert files["lint/verilator.f"].split() == [
        "+incdir+design",
        "lint/waivers.vlt",
        "design/rtl/a.sv",
        "design/b.sv",
    ]


@pytest.mark.parametrize(
    "waiver",
    ["WIDTH", "width a.sv", 'WIDTH a"b.sv', "WIDTH a.sv:9-3", "WIDTH a.sv:x", "WIDTH a b.sv", "* a.sv"],
)
def test_a_waiver_that_means_nothing_is_refused(waiver: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate({"waivers": [waiver]}))
    assert [problem.field for problem in refused.value.problems] == ["waivers.0"]


def test_warnings_are_counted_by_code_and_listed_with_their_places(tmp_path: Path) -> None:
    results = TEMPLATE.parse(
        written(tmp_path, LOG, tool_exit_code=1, exit_code=1, fail_line="x"), TEMPLATE.validate({})
    )
    assert {metric.name: metric.value for metric in results.metrics} == {
        "design__lint_error__count": 2,
        "design__lint_warning__count": 2,
        "design__inferred_latch__count": 1,
        "design__lint_warning__count__code:LATCH": 1,
        "design__lint_warning__count__code:WIDTH": 1,
    }
    assert results.tables[0].rows == (
        ("WIDTH", "a.sv", 3, "Operator ASSIGNW expects 4 bits."),
        ("LATCH", "b.sv", 4, "Latch inferred for signal 'z'"),
        ("Error", "b.sv", 9, "syntax error"),
    )


@pytest.mark.parametrize(
    "facts", [{"tool_exit_code": 0, "exit_code": 1}, {"tool_exit_code": 1, "exit_code": 0}, {}]
)
def test_only_two_zeros_are_a_pass(tmp_path: Path, facts: dict[str, int]) -> None:
    results = TEMPLATE.parse(written(tmp_path, "", **{"exit_code": 0, **facts}), TEMPLATE.validate({}))
    assert results.tasks[0].verdict is Verdict.FAIL


def test_a_node_without_verilator_is_a_failure_of_its_own(tmp_path: Path) -> None:
    results = TEMPLATE.parse(
        written(tmp_path, "", missing_tool="verilator", exit_code=127), TEMPLATE.validate({})
    )
    assert results.tasks[0].failure == Failure(
        "tool missing: verilator",
        "the node has no verilator: ask its administrator, or choose another partition",
        "results/0",
        1,
    )


def test_an_endless_log_gives_a_table_that_says_it_is_cut(tmp_path: Path) -> None:
    log = "%Warning-WIDTH: design/a.sv:3:12: bits\n" * 5000
    table = TEMPLATE.parse(written(tmp_path, log, exit_code=1), TEMPLATE.validate({})).tables[0]
    assert (len(table.rows), table.is_cut) == (1000, True)
