"""The VHDL template: its runs, what it refuses, and how it groups failures."""

from pathlib import Path
from typing import Any

import pytest

from workloads.eda.vhdl import Vhdl
from workloads.eda.vhdl_results import cause
from workloads.errors import InvalidParameters
from workloads.template import Verdict

TEMPLATE = Vhdl()


def written(workspace: Path, **facts: Any) -> Path:  # noqa: ANN401 - as the script writes them
    (workspace / "results").mkdir(exist_ok=True)
    (workspace / "results/0").write_text("".join(f"{name}={value}\n" for name, value in facts.items()))
    return workspace


def test_variants_are_rows_and_seeds_are_columns() -> None:
    params = TEMPLATE.validate({"variants": ["n=5", "n=9 WIDTH=8"], "seeds": 2, "first_seed": 3})
    spec = TEMPLATE.render(params)
    files = {one.path: one.content for one in spec.inputs}
    assert files["vhdl/tasks.txt"] == "0\t3\tn=5\n1\t4\tn=5\n2\t3\tn=9 WIDTH=8\n3\t4\tn=9 WIDTH=8\n"
    assert files["vhdl/sources.txt"] == "design/gray_counter.vhd\ndesign/gray_counter_tb.vhd\n"
    assert [(cell.row, cell.column) for cell in TEMPLATE.campaign(params)][1:3] == [
        ("n=5", "4"),
        ("n=9 WIDTH=8", "3"),
    ]


def test_a_rerun_has_its_tasks_with_waves_and_other_seeds_lie_above_all_before() -> None:
    params = TEMPLATE.validate({"seeds": 10, "first_seed": 5})
    again = TEMPLATE.rerun(params, [7, 2], new_seeds=2, waves=True)
    assert (again.only_tasks, again.waves, again.seed_offset) == ([2, 7], "fst", 30)
    assert [cell.column for cell in TEMPLATE.campaign(again)] == ["37", "42"]
    spec = TEMPLATE.render(again)
    assert spec.array
    assert spec.array.expression == "2,7"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"sources": {"a.v": ""}}, "sources.a.v.[key]"),
        ({"stop_time": "1 day"}, "stop_time"),
        ({"stop_time": "1us --vcd=x"}, "stop_time"),
        ({"variants": ["n=1; touch x"]}, "variants.0"),
        ({"variants": ["n=1", "n=1"]}, "variants"),
        ({"variants": ["n=1\tm=2"]}, "variants.0"),
        ({"top": "tb --vpi=x.so"}, "top"),
        ({"seed_generic": None}, "seeds"),
        ({"seeds": 10, "only_tasks": [10]}, "only_tasks"),
        ({"first_seed": 2**31 - 1}, "first_seed"),
        ({"timeout_seconds": 601}, "resources.walltime_seconds"),
    ],
)
def test_what_ghdl_should_not_see_is_refused_by_field(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert refused.value.problems[0].field == field


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "design/tb.vhd:57:13:@270ns:(assertion error): count mismatch: got 2 expected 0",
            "assertion error: count mismatch: got * expected *",
        ),
        (
            "design/tb.vhd:8:4:@20ns:(assertion error): Assertion violation.",
            "tb.vhd:8: assertion error: Assertion violation",
        ),
        ("design/tb.vhd:8:4:@1us:(report failure): bad 3", "report failure: bad *"),
        ('design/a.vhd:3:9: no declaration for "clk2"', 'no declaration for "clk2"'),
        (
            "/usr/bin/ghdl-mcode:error: bound check failure at a.vhd:7",
            "/usr/bin/ghdl-mcode:error: bound check failure at a.vhd:*",
        ),
    ],
)
def test_time_and_numbers_do_not_part_failures_of_one_cause(line: str, expected: str) -> None:
    assert cause(line) == expected


@pytest.mark.parametrize(
    ("facts", "signature"),
    [
        (
            {"exit_code": 3, "run_exit_code": 0, "stopped": "yes"},
            "no verdict: the stop time came before a pass text",
        ),
        ({"exit_code": 3, "run_exit_code": 0, "pass_seen": "no"}, "no verdict: a pass text is missing"),
        ({"exit_code": 1, "run_exit_code": 124, "timed_out": "yes"}, "the simulation passed its time limit"),
        ({"exit_code": 127, "missing_tool": "ghdl"}, "tool missing: ghdl"),
    ],
)
def test_a_run_without_a_failed_assertion_says_why_it_is_no_pass(
    tmp_path: Path, facts: dict[str, Any], signature: str
) -> None:
    [task] = TEMPLATE.parse(written(tmp_path, **facts), TEMPLATE.validate({})).tasks
    assert task.failure
    assert task.failure.signature == signature
    assert (task.verdict is Verdict.NO_VERDICT) == signature.startswith("no verdict")
