"""The regression's rendered script on the real simulator."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workloads.runner import Ended, finish, prepare, run_all, run_task, start
from tests.integration.workloads.waveforms import fst_end
from workloads.campaign import buckets, matrix, pass_rate
from workloads.eda.rtl_simulation import RtlRegression, rerun_failures
from workloads.regression.parameters import RtlRegressionParameters
from workloads.template import Results, TaskResult, Verdict

TEMPLATE = RtlRegression()
LEVEL = "TB_ERROR [LEVEL] t=* level mismatch: got * expected *"
SCOREBOARD = "TB_ERROR [SCOREBOARD] t=* data mismatch: got * expected *"
SILENT_BENCH = 'module tb; initial begin $display("nothing to say"); $finish(0); end endmodule\n'
LYING_BENCH = (
    'module tb; initial begin $display("TB_ERROR [X] bad"); $display("TEST PASSED CHECKS"); end endmodule\n'
)
STOPPING_BENCH = 'module tb; initial begin $display("TEST PASSED CHECKS"); $stop; end endmodule\n'


def run(workspace: Path, **raw: Any) -> tuple[RtlRegressionParameters, dict[int, Ended], Results]:  # noqa: ANN401
    params = TEMPLATE.validate(raw)
    ended = run_all(workspace, TEMPLATE.render(params))
    return params, ended, TEMPLATE.parse(workspace, params)


def test_a_design_without_bugs_passes_every_test_with_every_seed(tmp_path: Path) -> None:
    _, ended, results = run(tmp_path, seeds=3)
    assert [one.exit_code for one in ended.values()] == [0] * 9
    assert pass_rate(results.tasks) == 1
    metrics = {metric.name: metric.value for metric in results.tasks[0].metrics}
    assert metrics["cycles"] == 1200
    assert 0 <= metrics["pushes"] - metrics["pops"] <= 8, "what was not popped is still in the FIFO"


def test_two_planted_bugs_are_two_groups_and_the_matrix_is_whole(tmp_path: Path) -> None:
    params, ended, results = run(tmp_path, defines=["BUG_LEVEL", "BUG_DATA"])
    assert {bucket.signature for bucket in buckets(results.tasks)} == {LEVEL, SCOREBOARD}
    grid = matrix(TEMPLATE.campaign(params), results.tasks)
    assert grid.rows == ("random", "burst", "drain")
    assert grid.columns == tuple(map(str, range(1, 11)))
    assert all(task is not None for task in grid.results.values())
    verdicts = {task.task_index: task.verdict for task in results.tasks}
    assert {index: one.exit_code == 0 for index, one in ended.items()} == {
        index: verdict is Verdict.PASS for index, verdict in verdicts.items()
    }, "the script's exit code and the parsed verdict agree"
    drain = [grid.results["drain", seed] for seed in grid.columns]
    assert {task.verdict for task in drain if task} == {Verdict.PASS, Verdict.FAIL}


@pytest.mark.parametrize(("define", "signature"), [("BUG_LEVEL", LEVEL), ("BUG_DATA", SCOREBOARD)])
def test_one_bug_is_one_group(tmp_path: Path, define: str, signature: str) -> None:
    _, _, results = run(tmp_path, defines=[define], seeds=4)
    [bucket] = buckets(results.tasks)
    assert bucket.signature == signature
    assert bucket.count >= 8


def test_the_failing_line_is_where_the_failure_says(tmp_path: Path) -> None:
    _, _, results = run(tmp_path, defines=["BUG_LEVEL"], tests=["random"], seeds=1)
    failure = results.tasks[0].failure
    assert failure
    assert (tmp_path / failure.file).read_text().splitlines()[failure.line_number - 1] == failure.line


def test_failures_rerun_with_the_same_seeds_fail_the_same_and_leave_waveforms(tmp_path: Path) -> None:
    params, _, results = run(tmp_path / "first", defines=["BUG_LEVEL"], tests=["random", "drain"], seeds=3)
    again = rerun_failures(params, results)
    run_all(tmp_path / "again", TEMPLATE.render(again))
    found = TEMPLATE.parse(tmp_path / "again", again)
    failed = [task for task in results.tasks if task.verdict is Verdict.FAIL]
    assert failed
    assert [shown(task) for task in found.tasks] == [shown(task) for task in failed]
    for task in found.tasks:
        [wave] = [one.path for one in task.artefacts if one.kind == "waveform"]
        assert fst_end(tmp_path / "again" / wave) > 0


def shown(task: TaskResult) -> tuple[str, str]:
    """What failed and how: the line holds the simulated time and the wrong value."""
    assert task.failure
    return task.label, task.failure.line


def test_the_same_seed_gives_the_same_log(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(tmp_path / name, tests=["random"], seeds=1, first_seed=77)
    logs = {(tmp_path / name / "logs/random-77.log").read_text() for name in ("one", "two")}
    assert len(logs) == 1


def test_tasks_that_start_together_build_once(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    counting = tools / "iverilog"
    counting.write_text(
        f'#!/bin/bash\n[[ $1 == -V ]] || echo built >> builds\nexec {shutil.which("iverilog")} "$@"\n'
    )
    counting.chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    workspace = tmp_path / "workspace"
    spec = TEMPLATE.render(TEMPLATE.validate({"tests": ["random"], "seeds": 6}))
    prepare(workspace, spec)
    processes = {index: start(workspace, spec, index, path) for index in spec.task_indices()}
    codes = [finish(workspace, process, index).exit_code for index, process in processes.items()]
    assert codes == [0] * 6
    assert (workspace / "builds").read_text() == "built\n"


def test_a_failed_build_fails_every_task_with_the_compiler_s_words(tmp_path: Path) -> None:
    _, ended, results = run(tmp_path, sources={"tb.sv": "module tb; wire w = ; endmodule\n"}, seeds=2)
    assert {one.exit_code for one in ended.values()} == {2}
    assert all("design/tb.sv:1: syntax error" in one.output for one in ended.values())
    [bucket] = buckets(results.tasks)
    assert bucket.count == 6
    assert bucket.signature.startswith("build failed: design/tb.sv:")
    assert bucket.first.artefacts[0].path == "build/default/build.log"


def test_a_missing_simulator_is_named_and_says_what_to_install(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in ("bash", "mkdir", "rm", "mv", "flock", "timeout"):
        (tools / program).symlink_to(shutil.which(program) or "")
    spec = TEMPLATE.render(TEMPLATE.validate({}))
    prepare(tmp_path / "workspace", spec)
    ended = run_task(tmp_path / "workspace", spec, 0, str(tools))
    assert ended.exit_code == 127
    assert "tool missing: iverilog" in ended.output
    assert "Debian package iverilog" in ended.output
    [task] = TEMPLATE.parse(tmp_path / "workspace", TEMPLATE.validate({})).tasks
    assert task.failure
    assert task.failure.signature == "tool missing: iverilog"


@pytest.mark.parametrize(
    ("bench", "exit_code", "verdict"),
    [
        pytest.param(SILENT_BENCH, 3, Verdict.NO_VERDICT, id="ends with 0 and says nothing"),
        pytest.param(LYING_BENCH, 1, Verdict.FAIL, id="an error before the pass text"),
        pytest.param(STOPPING_BENCH, 1, Verdict.FAIL, id="the pass text and then a stop"),
    ],
)
def test_a_pass_text_or_exit_code_alone_is_no_pass(
    tmp_path: Path, bench: str, exit_code: int, verdict: Verdict
) -> None:
    _, ended, results = run(tmp_path, sources={"tb.sv": bench}, tests=["t"], seeds=1)
    assert ended[0].exit_code == exit_code
    assert results.tasks[0].verdict is verdict


def test_an_unknown_test_of_the_example_fails_with_its_name_in_words(tmp_path: Path) -> None:
    _, _, results = run(tmp_path, tests=["nonsense"], seeds=1)
    failure = results.tasks[0].failure
    assert failure
    assert "there is no test of this name" in failure.line


def test_sources_with_headers_and_folders_build(tmp_path: Path) -> None:
    sources = {
        "include/defs.svh": '`define WORDS "TEST PASSED CHECKS"\n',
        "rtl/box.sv": "module box; parameter N = 1; endmodule\n",
        "tb/bench.sv": '`include "include/defs.svh"\n'
        "module bench; box #(.N(`N)) b(); initial $display(`WORDS); endmodule\n",
    }
    _, ended, _ = run(tmp_path, sources=sources, top="bench", defines=["N=4'd3"], tests=["t"], seeds=1)
    assert ended[0].exit_code == 0


def test_a_result_from_before_a_requeue_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    spec = TEMPLATE.render(TEMPLATE.validate({"tests": ["random"], "seeds": 1}))
    prepare(tmp_path, spec)
    run_task(tmp_path, spec)
    (tmp_path / "build/default/simulation").write_text("#! /no/such/interpreter\n")
    assert run_task(tmp_path, spec).exit_code != 0
    [task] = TEMPLATE.parse(tmp_path, TEMPLATE.validate({"tests": ["random"], "seeds": 1})).tasks
    assert task.verdict is Verdict.FAIL


CONFIGURED = """\
plusargs = ["n=300"]
[tests.random]
seeds = 2
[tests.drain]
seeds = [5]
configurations = ["level"]
[configurations.plain]
[configurations.level]
defines = ["BUG_LEVEL"]
"""
ENDLESS = """\
module tb;
    string waves;
    reg clock = 0;
    initial begin
        if ($value$plusargs("waves=%s", waves)) begin
            $dumpfile(waves);
            $dumpvars(0, tb);
        end
        $display("starting");
        forever #1 clock = !clock;
    end
endmodule
"""


def test_each_configuration_is_its_own_build_with_its_own_results(tmp_path: Path) -> None:
    _, _, results = run(tmp_path, regression=CONFIGURED)
    labels = ["random/plain seed 1", "random/plain seed 2", "random/level seed 1", "random/level seed 2"]
    assert [task.label for task in results.tasks] == [*labels, "drain/level seed 5"]
    assert len({task.build for task in results.tasks}) == 2
    assert all(task.verdict is Verdict.PASS for task in results.tasks[:2])
    assert {bucket.signature for bucket in buckets(results.tasks)} == {LEVEL}
    assert (tmp_path / "logs/drain.level-5.log").exists()


def test_a_simulation_past_its_own_time_limit_fails_with_its_log(tmp_path: Path) -> None:
    sources = {"tb.sv": ENDLESS}
    _, ended, results = run(tmp_path, sources=sources, tests=["t"], seeds=1, timeout_seconds=1, waves=True)
    assert ended[0].exit_code == 1
    assert fst_end(tmp_path / "waves/t-1.fst") > 0, "what it hung in can be looked at"
    failure = results.tasks[0].failure
    assert failure
    assert (failure.signature, failure.line) == ("the simulation passed its time limit", "starting")


def test_verilator_s_coverage_is_merged_over_passing_tasks_and_is_more_than_any_of_them(
    tmp_path: Path,
) -> None:
    _, ended, results = run(tmp_path, tool="verilator", coverage=True, waves=True, seeds=1)
    assert [one.exit_code for one in ended.values()] == [0, 0, 0]
    assert all(fst_end(wave) > 0 for wave in (tmp_path / "waves").iterdir())
    metrics = {metric.name: metric.value for metric in results.metrics}
    points = [{one.name: one.value for one in task.metrics}["coverage_points"] for task in results.tasks]
    assert len(points) == 3
    assert metrics["coverage_points"] > max(points)
    assert metrics["coverage_line"] == 100
    assert 0 < metrics["coverage_toggle"] < 100
