"""Sweeps and corners as pages show them: the best trial, slack to limits, the worst corner of each."""

import pytest

from hpc_portal.app.campaigns.corners import Spec, corner_table
from hpc_portal.app.campaigns.sweep import sweep_view
from workloads.ai.sweep_parameters import SweepParameters
from workloads.eda.spice_parameters import SpiceParameters
from workloads.eda.synthesis_parameters import SynthesisParameters
from workloads.template import Column, Failure, Metric, Parameters, Results, Table, TaskResult, Verdict


def task(index: int, verdict: Verdict = Verdict.PASS, line: str = "", **metrics: float) -> TaskResult:
    failure = Failure(line, line, "", 0) if line else None
    found = tuple(Metric(name, value) for name, value in metrics.items())
    return TaskResult(index, f"corner {index}", verdict, found, failure)


@pytest.mark.parametrize(
    ("low", "high", "value", "slack"),
    [
        (1, 5, 2, 1),
        (1, 5, 4.5, 0.5),
        (1, 5, 7, -2),
        (None, 5, 1, 4),
        (0, None, -3, -3),
        (None, None, 1, None),
    ],
)
def test_slack_is_the_distance_to_the_nearer_limit(
    low: float | None, high: float | None, value: float, slack: float | None
) -> None:
    assert Spec("x", "", low, high).slack(value) == slack


def test_the_worst_corner_of_each_limit_is_named_and_an_invalid_one_never() -> None:
    params = SpiceParameters(measures=["period 1..5 s", "power ..10 W", "gain"])
    found = corner_table(
        params,
        Results(
            tasks=(
                task(0, period=2, power=9, gain=1),
                task(1, Verdict.FAIL, "power is not within ..10", period=4.5, power=12, gain=2),
                task(2, Verdict.NO_VERDICT, "agreement could not be measured", period=99, power=99),
            )
        ),
    )
    assert found
    assert [(one.spec.name, one.corner, one.slack) for one in found.worst] == [
        ("period", "corner 1", 0.5),
        ("power", "corner 1", -2),
    ]
    assert found.corners[2].values == (None, None, None)
    assert found.corners[1].why == "power is not within ..10"


def test_random_samples_are_judged_by_their_yield() -> None:
    rows = (("ss", 100, 0, 90, 90.0, 82.0, 95.0), ("tt", 100, 0, 99, 99.0, 94.0, 99.9))
    table = Table("Yield by corner", tuple(Column(str(at)) for at in range(7)), rows)
    params = SpiceParameters(samples=100, target_yield=0.95)
    found = corner_table(params, Results(tables=(table,)))
    assert found
    assert [one.verdict for one in found.corners] == [Verdict.FAIL, Verdict.PASS]
    assert [(one.corner, one.slack) for one in found.worst] == [("ss", -5.0)]


def test_synthesis_is_judged_by_its_setup_slack() -> None:
    tasks = (task(0, timing__setup__ws=0.2), task(1, Verdict.FAIL, timing__setup__ws=-1.5))
    found = corner_table(SynthesisParameters(), Results(tasks=tasks))
    assert found
    assert [(one.corner, one.slack) for one in found.worst] == [("corner 1", -1.5)]


def test_a_sweep_has_an_axis_a_parameter_and_the_objective_last() -> None:
    params = SweepParameters(
        space={"rate": "float 0.001 0.1 log", "units": "int 8 64", "kind": "choice sgd adam"},
        objective="acc",
        direction="maximize",
    )
    columns = tuple(Column(name) for name in ("Trial", "rate", "units", "kind", "acc", "Last step", "End"))
    rows = ((3, 0.01, 16, "adam", 0.9, 20, "done"), (1, 0.002, 32, "sgd", None, None, "-"))
    found = sweep_view(params, Results(tables=(Table("Trials", columns, rows),)))
    assert found
    assert [(one.name, one.is_log, one.choices) for one in found.axes] == [
        ("rate", True, ()),
        ("units", False, ()),
        ("kind", False, ("sgd", "adam")),
        ("acc", False, ()),
    ]
    assert found.best
    assert (found.best.task_index, found.best.values, found.best.end) == (3, (0.01, 16, "adam", 0.9), "done")


def test_before_any_trial_has_a_number_there_is_no_best() -> None:
    found = sweep_view(SweepParameters(), Results())
    assert found
    assert (found.trials, found.best) == ((), None)


def test_other_jobs_have_neither() -> None:
    assert sweep_view(Parameters(), Results()) is None
    assert corner_table(Parameters(), Results()) is None
