"""The Dask template: what it asks for, what it refuses, and results that a tenant could have written."""

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.ai.dask_cluster import DaskCluster
from workloads.errors import InvalidParameters
from workloads.template import Failure, Metric, Results, Verdict

TEMPLATE = DaskCluster()
PARAMS = TEMPLATE.validate({})
START = {"event": "start", "nodes": 2, "workers": 4, "threads": 8, "memory_mib_per_worker": 700}
ERROR = {"event": "error", "type": "KilledWorker", "message": "part-7 died on 4 workers", "line": 12}


def write(workspace: Path, *events: object) -> None:
    lines = (event if isinstance(event, str) else json.dumps(event) for event in events)
    (workspace / "cluster.jsonl").write_text("".join(f"{line}\n" for line in lines))


def test_each_node_has_what_is_asked_and_the_script_and_its_arguments_are_files() -> None:
    raw = {
        "files": {"own/a.py": "print('$(touch x)')"},
        "program": "own/a.py",
        "arguments": ["; touch x"],
        "nodes": 3,
        "threads": 4,
        "resources": {"cpus": 8, "memory_mib": 4096},
    }
    spec = TEMPLATE.render(TEMPLATE.validate(raw))
    assert (spec.resources.nodes, spec.resources.ntasks, spec.resources.cpus_per_node) == (3, 3, 8)
    assert spec.script == TEMPLATE.render(PARAMS).script
    files = {one.path: one.content for one in spec.inputs}
    assert files["program/own/a.py"] == "print('$(touch x)')"
    assert json.loads(files["dask/parameters.json"]) == {
        "arguments": ["; touch x"],
        "reserved_memory_mib": 512,
        "script": "program/own/a.py",
        "threads": 4,
    }


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"threads": 3, "resources": {"cpus": 2}}, "threads"),
        ({"resources": {"cpus": 8, "memory_mib": 2047}}, "resources.memory_mib"),
        ({"reserved_memory_mib": 2048}, "resources.memory_mib"),
        ({"files": {"a.py": ""}}, "program"),
        ({"program": "../a.py"}, "program"),
    ],
)
def test_a_cluster_that_could_not_work_is_refused(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_script_that_goes_on_has_no_verdict_yet(tmp_path: Path) -> None:
    assert TEMPLATE.parse(tmp_path, PARAMS) == Results()
    write(tmp_path, START, {"event": "ready", "seconds": 2})
    results = TEMPLATE.parse(tmp_path, PARAMS)
    assert results.tasks == ()
    assert results.metrics == (
        Metric("nodes", 2),
        Metric("workers", 4),
        Metric("threads", 8),
        Metric("memory_mib_per_worker", 700, "MiB"),
        Metric("workers_lost", 0),
    )


def test_a_loss_is_counted_and_the_error_that_ended_the_script_is_the_failure(tmp_path: Path) -> None:
    write(
        tmp_path, START, {"event": "worker_lost", "worker": "n1-0"}, ERROR, {"event": "end", "exit_code": 1}
    )
    results = TEMPLATE.parse(tmp_path, PARAMS)
    assert Metric("workers_lost", 1) in results.metrics
    assert [task.failure for task in results.tasks] == [
        Failure(
            "KilledWorker: part-* died on * workers",
            "KilledWorker: part-7 died on 4 workers",
            "program/zeta.py",
            12,
        )
    ]


def test_of_a_job_that_was_requeued_the_last_run_counts(tmp_path: Path) -> None:
    write(tmp_path, START, ERROR, {"event": "end", "exit_code": 1}, START, {"event": "end", "exit_code": 0})
    assert [task.verdict for task in TEMPLATE.parse(tmp_path, PARAMS).tasks] == [Verdict.PASS]


@pytest.mark.parametrize(
    ("end", "line"),
    [(3, "the script ended with 3"), (-9, "the script was ended by signal 9")],
)
def test_an_end_without_an_error_is_told_by_its_code(tmp_path: Path, end: int, line: str) -> None:
    write(tmp_path, START, {"event": "end", "exit_code": end})
    [task] = TEMPLATE.parse(tmp_path, PARAMS).tasks
    assert (task.verdict, task.failure) == (Verdict.FAIL, Failure(line, line, "cluster.jsonl", 2))


@pytest.mark.parametrize(
    "forged",
    [
        "{",
        "[]",
        {"event": ["end"], "exit_code": 0},
        {"event": "end", "exit_code": "0"},
        {"event": "end", "exit_code": True},
        {"event": "end"},
        {"event": "start", "workers": 1e400, "nodes": "many"},
    ],
)
def test_lines_that_say_nothing_give_no_verdict(tmp_path: Path, forged: object) -> None:
    write(tmp_path, {"event": "start"}, forged)
    assert TEMPLATE.parse(tmp_path, PARAMS).tasks == ()


def test_an_error_s_forged_line_number_is_none(tmp_path: Path) -> None:
    write(tmp_path, START, {**ERROR, "line": "x"}, {"event": "end", "exit_code": 1})
    [task] = TEMPLATE.parse(tmp_path, PARAMS).tasks
    assert task.failure
    assert task.failure.line_number == 1
