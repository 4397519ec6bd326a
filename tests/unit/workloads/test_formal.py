"""The formal template: what counts as proven, refuted, or neither."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.formal import Formal
from workloads.errors import InvalidParameters
from workloads.template import Artefact, Results, Verdict

TEMPLATE = Formal()
PROVEN = {
    "exit_code": 0,
    "asserts": 2,
    "covers": 1,
    "bmc_status": "PASSED",
    "bmc_step": 19,
    "bmc_microseconds": 1_500_000,
    "induction_status": "PASSED",
    "induction_step": 18,
    "cover_status": "PASSED",
}


def parse(workspace: Path, facts: dict[str, Any], **raw: Any) -> Results:  # noqa: ANN401 - as untyped as a form
    (workspace / "results").mkdir()
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    return TEMPLATE.parse(workspace, TEMPLATE.validate(raw))


def test_everything_passed_is_a_pass_with_one_row_for_each_check(tmp_path: Path) -> None:
    results = parse(tmp_path, PROVEN)
    assert results.tasks[0].verdict is Verdict.PASS
    assert [row[:3] for row in results.tables[0].rows] == [
        ("bmc", "PASSED", 19),
        ("induction", "PASSED", 18),
        ("cover", "PASSED", None),
    ]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"asserts": 0, "covers": 0}, "there is nothing to check"),
        ({"exit_code": 3, "bmc_status": "PREUNSAT"}, "the assumptions contradict each other"),
        ({"exit_code": 3, "induction_status": "FAILED"}, "not proven, and no counterexample within 20 steps"),
        ({"induction_status": ""}, "induction has no result"),
        ({"cover_status": "ERROR"}, "cover has no result"),
        ({"bmc_status": "passed"}, "bmc has no result"),
    ],
)
def test_what_is_neither_proven_nor_refuted_has_no_verdict(
    tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    [task] = parse(tmp_path, PROVEN | changed).tasks
    assert task.verdict is Verdict.NO_VERDICT
    assert task.failure
    assert task.failure.signature == f"no verdict: {why}"


def test_without_induction_the_bounded_check_is_enough(tmp_path: Path) -> None:
    [task] = parse(tmp_path, PROVEN | {"induction_status": ""}, induction=False).tasks
    assert task.verdict is Verdict.PASS


def test_a_counterexample_is_named_by_its_assertion_and_shown_as_a_waveform(tmp_path: Path) -> None:
    line = "##   0:00:01  Assert failed in fifo: design/fifo.sv:71.27-72.59 ($assert$design/fifo.sv:71$62)"
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces/bmc.vcd").touch()
    facts = {"exit_code": 1, "asserts": 2, "bmc_status": "FAILED", "fail_line": line, "fail_line_number": 13}
    [task] = parse(tmp_path, facts).tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert task.failure.signature == "Assert failed in fifo: design/fifo.sv:71.27-72.59"
    assert task.artefacts == (Artefact("traces/bmc.vcd", "waveform"),)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"solver": "z3; touch x"}, "solver"),
        ({"top": "fifo\nexec touch x"}, "top"),
        ({"depth": 0}, "depth"),
        ({"sources": {"only.svh": ""}}, "sources"),
    ],
)
def test_what_no_tool_should_see_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert refused.value.problems[0].field == field
