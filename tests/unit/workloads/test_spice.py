"""The SPICE template: its corners and samples, and which numbers count."""

import statistics
from pathlib import Path
from typing import Any

import pytest

from workloads.eda.spice import Spice
from workloads.eda.spice_limits import Measure, read_limit
from workloads.eda.spice_points import sample_lines
from workloads.eda.yield_estimate import wilson_interval
from workloads.errors import InvalidParameters
from workloads.template import Results, Verdict

TEMPLATE = Spice()
ONE = {"corners": ["tt"], "voltages": [1.2], "temperatures": [25]}
LIMITS = {"measures": ["period 1..3 s"], "validity": ["swing 0.8.."]}


def measured(workspace: Path, *lines: str, **raw: Any) -> Results:  # noqa: ANN401 - as untyped as a form
    """The results of a single task whose measures these are; every sample of it ended with 0."""
    params = TEMPLATE.validate(ONE | LIMITS | raw)
    for folder in ("results", "measures"):
        (workspace / folder).mkdir()
    (workspace / "results/0").write_text("exit_code=0\n")
    ended = [f"{sample} exit_code 0" for sample in range(1, params.samples + 1)]
    (workspace / "measures/0.txt").write_text("\n".join([*ended, *lines]))
    return TEMPLATE.parse(workspace, params)


def problem_fields(**raw: Any) -> list[str]:  # noqa: ANN401
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    return [problem.field for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("period", Measure("period", None, None, "")),
        ("period s", Measure("period", None, None, "s")),
        ("period 1e-10..2.5e-10 s", Measure("period", 1e-10, 2.5e-10, "s")),
        ("gain -3..", Measure("gain", -3, None, "")),
        ("i ..+.5 A", None),
        ("i ..0.5 A", Measure("i", None, 0.5, "A")),
    ],
)
def test_a_limit_is_a_line_of_text(text: str, expected: Measure | None) -> None:
    if expected is None:
        assert problem_fields(measures=[text]) == ["measures.0"]
    else:
        assert read_limit(TEMPLATE.validate({"measures": [text]}).measures[0]) == expected


def test_corners_voltages_temperatures_and_parts_of_the_samples_are_tasks() -> None:
    raw = {"corners": ["tt", "ss"], "voltages": [1, 1.2], "temperatures": [25], "samples": 25}
    params = TEMPLATE.validate({**raw, "samples_per_task": 10, "max_parallel": 4})
    spec = TEMPLATE.render(params)
    assert spec.array
    assert spec.array.expression == "0-11%4"
    cells = TEMPLATE.campaign(params)
    assert [(cell.row, cell.column) for cell in cells[2:5]] == [
        ("tt 1 V", "25 °C #21-25"),
        ("tt 1.2 V", "25 °C #1-10"),
        ("tt 1.2 V", "25 °C #11-20"),
    ]
    files = {one.path: one.content for one in spec.inputs}
    assert files["spice/tasks.txt"].splitlines()[2] == "2\ttt\t1\t25\t21\t5"


def test_a_sample_is_the_same_however_many_there_are_and_whatever_else_varies() -> None:
    few = TEMPLATE.validate({"samples": 3, "variations": ["dn1=0:0.02"]})
    many = TEMPLATE.validate({"samples": 200, "variations": ["dn2=0:1", "dn1=0:0.02"]})
    assert [line.split()[1] for line in sample_lines(few)] == [
        line.split()[2] for line in list(sample_lines(many))[:3]
    ]
    other = TEMPLATE.validate({"samples": 3, "variations": ["dn1=0:0.02"], "seed": 2})
    assert list(sample_lines(few)) != list(sample_lines(other))


def test_samples_are_normal_with_the_mean_and_sigma_that_were_given() -> None:
    """Of 4,000 samples: mean and deviation within four standard errors, 4/sqrt(n) and 4/sqrt(2n)."""
    params = TEMPLATE.validate({"samples": 4000, "variations": ["dn1=0.5:0.02"]})
    values = [float(line.rpartition("=")[2]) for line in sample_lines(params)]
    assert abs(statistics.fmean(values) - 0.5) < 0.02 * 4 / 4000**0.5
    assert abs(statistics.stdev(values) / 0.02 - 1) < 4 / 8000**0.5


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"corners": ["tt", "tt"]}, "corners"),
        ({"corners": ["tt\n.control"]}, "corners.0"),
        ({"corners": ['tt"']}, "corners.0"),
        ({"voltages": ["1.2 .include /etc/passwd"]}, "voltages.0"),
        ({"voltages": ["inf"]}, "voltages.0"),
        ({"netlist": "missing.cir"}, "netlist"),
        ({"netlist": "../ring.cir"}, "netlist"),
        ({"models": "missing.lib"}, "models"),
        ({"sources": {"x.sh": ""}}, "sources.x.sh.[key]"),
        ({"supply": "vdd=1 .control"}, "supply"),
        ({"variations": ["dn1=0:{shell touch x}"]}, "variations.0"),
        ({"variations": ["dn1=0:-1"]}, "variations"),
        ({"variations": ["dn1=0:1", "DN1=0:2"]}, "variations"),
        ({"variations": ["vdd=1.2:0.1"]}, "variations"),
        ({"variations": ["other=1:1"]}, "variations"),
        ({"samples": 20_000, "variations": ["dn1=0:1", "dn2=0:1"]}, "samples"),
        ({"samples": 20_000, "samples_per_task": 1}, "samples_per_task"),
        ({"measures": ["period 3..1"]}, "measures.0"),
        ({"measures": ["swing"]}, "measures"),
        ({"measures": ["period; shell"]}, "measures.0"),
    ],
)
def test_what_is_no_number_name_or_file_of_the_deck_is_refused(raw: dict[str, Any], field: str) -> None:
    assert problem_fields(**raw)[0] == field


def test_a_measure_within_its_limits_passes(tmp_path: Path) -> None:
    results = measured(tmp_path, "1 swing 1.01", "1 period 3")
    assert results.tasks[0].verdict is Verdict.PASS
    assert results.tables[0].rows == (("tt 1.2 V, 25 °C", 3.0),)


def test_a_measure_beyond_its_limits_fails_by_its_name(tmp_path: Path) -> None:
    [task] = measured(tmp_path, "1 swing 1.01", "1 period 3.1").tasks
    assert task.verdict is Verdict.FAIL
    assert task.failure
    assert task.failure.signature == "period is not within 1..3"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["1 swing 0.5", "1 period 2"], "swing is not within 0.8.."),
        (["1 swing 1"], "period could not be measured"),
        (["1 swing 1", "1 period nan"], "period could not be measured"),
        (["1 swing 1", "1 period failed"], "period could not be measured"),
        (["1 swing 1", "2 period 2"], "period could not be measured"),
        (["1 swing 1", "1 period 2", "1 exit_code 1"], "ngspice ended with exit code 1"),
    ],
)
def test_an_invalid_point_has_no_verdict_and_is_never_a_number(
    tmp_path: Path, lines: list[str], why: str
) -> None:
    results = measured(tmp_path, *lines)
    [task] = results.tasks
    assert (task.verdict, task.metrics) == (Verdict.NO_VERDICT, ())
    assert task.failure
    assert task.failure.signature == f"invalid: {why}"
    assert results.tables[0].rows == (("tt 1.2 V, 25 °C", None),)
    assert "period__max" not in {metric.name for metric in results.metrics}


def test_yield_counts_invalid_samples_as_not_good_and_statistics_leave_them_out(tmp_path: Path) -> None:
    lines = [f"{sample} swing {1 if sample < 10 else 0}" for sample in range(1, 11)]
    lines += [f"{sample} period {1 + sample / 4}" for sample in range(1, 11)]
    results = measured(tmp_path, *lines, samples=10, variations=["dn1=0:0.1"], target_yield=0.7)
    yields, spread = results.tables
    assert yields.rows == (
        ("tt 1.2 V, 25 °C", 10, 1, 8, 80, *(100 * bound for bound in wilson_interval(8, 10))),
    )
    [(place, name, *numbers, unit)] = spread.rows
    assert (place, name, unit) == ("tt 1.2 V, 25 °C", "period", "s")
    assert numbers == pytest.approx([2.25, statistics.stdev(n / 4 for n in range(9)), 1.25, 3.25])
    assert results.tasks[0].verdict is Verdict.PASS
    [curve] = results.series
    assert curve.points[-1] == (1.0, 3.25)


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_confidence_interval_is_wilson_s(passed: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(passed, total) == pytest.approx((low, high), abs=5e-5)
