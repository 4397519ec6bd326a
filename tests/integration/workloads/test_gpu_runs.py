"""The GPU templates' rendered scripts for real, on NumPy: examples, refusals, nodes that lack a tool."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workloads.runner import Ended, prepare, run_task
from workloads.gpu.fault_simulation import FaultSimulation
from workloads.gpu.node_health import NodeHealth
from workloads.gpu.statistical_timing import StatisticalTiming
from workloads.template import Results, Template, Verdict

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
QUICK: dict[str, Any] = {"seconds": 1, "array_mib": 4, "gemm_side": 128}


def run(workspace: Path, template: Template[Any], path: str = PATH, **raw: Any) -> tuple[Ended, Results]:  # noqa: ANN401
    params = template.validate(raw)
    spec = template.render(params)
    prepare(workspace, spec)
    ended = run_task(workspace, spec, path=path)
    return ended, template.parse(workspace, params)


def metrics(results: Results) -> dict[str, float]:
    return {metric.name: metric.value for metric in results.metrics}


def test_the_adder_meets_its_period_with_a_yield_and_its_interval(tmp_path: Path) -> None:
    ended, results = run(tmp_path, StatisticalTiming(), samples=20_000)
    assert ended.exit_code == 0, ended.output
    found = metrics(results)
    assert results.tasks[0].verdict is Verdict.PASS
    assert found["yield_low_rate"] < found["yield_rate"] < found["yield_high_rate"] <= 1
    assert found["nominal_delay"] < found["mean_delay"]
    quantiles = [float(period or 0) for _, period in results.tables[0].rows]
    assert [share for share, _ in results.tables[0].rows] == ["50.00%", "90.00%", "99.00%", "99.87%"]
    assert quantiles == sorted(quantiles)
    curve = results.series[0].points
    assert [share for _, share in curve] == sorted(share for _, share in curve)
    assert curve[-1][1] == 1
    assert str(results.tables[1].rows[0][0]).endswith("/D"), "the carry chain ends in a flip-flop"


@pytest.mark.parametrize(("period", "verdict"), [(0.8, Verdict.FAIL), (0.85, Verdict.NO_VERDICT)])
def test_a_clock_too_fast_fails_and_one_at_the_edge_has_no_verdict(
    tmp_path: Path, period: float, verdict: Verdict
) -> None:
    """The median is 0.849 ns, so that half of the dies pass at 0.85 and a hundred samples cannot decide."""
    _, results = run(tmp_path, StatisticalTiming(), period_ns=period, samples=100, target_yield=0.5)
    assert results.tasks[0].verdict is verdict


def test_the_adder_is_testable_and_a_circuit_with_a_redundant_gate_is_not_wholly(tmp_path: Path) -> None:
    ended, results = run(tmp_path / "adder", FaultSimulation())
    assert (ended.exit_code, results.tasks[0].verdict) == (0, Verdict.PASS), ended.output
    assert metrics(results)["fault_coverage_rate"] == 1
    redundant = "module m(input a, b, output y); wire n; and (n, a, b); or (y, a, n); endmodule"
    _, results = run(tmp_path / "redundant", FaultSimulation(), netlist=redundant)
    failure = results.tasks[0].failure
    assert failure
    assert failure.signature == "coverage is below the target"
    assert "stuck-at-0" in (tmp_path / "redundant/undetected.txt").read_text()


def test_a_node_is_healthy_and_degraded_when_more_is_asked_of_it(tmp_path: Path) -> None:
    ended, results = run(tmp_path / "healthy", NodeHealth(), **QUICK)
    assert (ended.exit_code, results.tasks[0].verdict) == (0, Verdict.PASS), ended.output
    assert metrics(results)["checked_products"] >= 2
    ended, results = run(tmp_path / "slow", NodeHealth(), **QUICK, least_bandwidth={"cpu": 10**6})
    assert (ended.exit_code, results.tasks[0].verdict) == (1, Verdict.FAIL)
    failure = results.tasks[0].failure
    assert failure
    assert failure.signature == "degraded: memory is slow"
    assert results.tables[1].rows[0][1] == "degraded"


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        ({"netlist": "module m; initial $finish; endmodule"}, 65, "gpu/netlist.v: line 1"),
        ({"liberty": "library (x) {"}, 65, "gpu/library.lib: line 1: the group library is never closed"),
        ({"liberty_path": "/nonexistent.lib"}, 65, "cannot read /nonexistent.lib"),
        ({"gpus": 1}, 69, "1 GPU(s) were asked for"),
    ],
)
def test_what_cannot_be_computed_is_said_in_words(
    tmp_path: Path, raw: dict[str, Any], code: int, words: str
) -> None:
    hidden = tmp_path / "python"
    hidden.write_text(f'#!/bin/bash\nCUDA_VISIBLE_DEVICES= exec {sys.executable} "$@"\n')
    hidden.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ended, results = run(tmp_path / "w", StatisticalTiming(), path, **raw)
    assert (ended.exit_code, words in ended.output) == (code, True), ended.output
    failure = results.tasks[0].failure
    assert failure
    assert words in failure.line


@pytest.mark.parametrize(
    ("python", "missing"), [(None, "python"), (f'exec {sys.executable} -S "$@"', "numpy")]
)
def test_a_node_without_python_or_numpy_is_a_failure_of_its_own(
    tmp_path: Path, python: str | None, missing: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "rm"):
        (tools / name).symlink_to(f"/bin/{name}")
    if python:
        (tools / "python").write_text(f"#!/bin/bash\n{python}\n")
        (tools / "python").chmod(0o755)
    for template in (StatisticalTiming(), FaultSimulation(), NodeHealth()):
        _, results = run(tmp_path / template.name, template, str(tools))
        failure = results.tasks[0].failure
        assert failure
        assert failure.signature == f"tool missing: {missing}"
