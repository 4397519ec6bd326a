"""The main templates on a real Slurm cluster: the same results as on the embedded node, number by number."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import pytest

from schedulers.dask.backend import DaskScheduler
from schedulers.dask.link import EmbeddedCluster
from schedulers.dask.node import default_runtime_paths
from schedulers.dask.store import MemoryPlacementStore
from schedulers.jobstate import JobState
from schedulers.slurm.backend import SlurmScheduler
from scripts.slurm_cluster import config
from scripts.slurm_cluster.instance import Instance
from tests.contract.benches import MAIN, node_config
from tests.contract.slurm_bench import slurm_client
from tests.integration.slurm_workloads.both_clusters import (
    Cluster,
    Outcome,
    Run,
    Workload,
    outcome_of,
    start,
    until,
)
from tests.slurm import settle
from workloads.ai.inference import Inference
from workloads.ai.sweep import Sweep
from workloads.ai.training import Training
from workloads.eda.formal import Formal
from workloads.eda.lint import Lint
from workloads.eda.rtl_simulation import RtlRegression
from workloads.eda.spice import Spice
from workloads.eda.synthesis import Synthesis
from workloads.gpu.statistical_timing import StatisticalTiming
from workloads.template import Metric, Results, Table, Verdict

TRY = """import json, sys
with open("metrics.jsonl", "w") as metrics:
    for epoch in range(1, 4):
        score = epoch * float(sys.argv[1].partition("=")[2])
        print(json.dumps({"epoch": epoch, "score": score}), file=metrics)
"""
SQUARE = """import json, os
with open(os.environ["HPC_OUTPUTS"], "a") as outputs:
    for one in open(os.environ["HPC_INPUTS"]).read().split():
        if one == "5":
            os.abort()
        print(json.dumps({"input": one, "square": int(one) ** 2}), file=outputs, flush=True)
"""
WORKLOADS = {
    "simulation": Workload(RtlRegression(), {"defines": ["BUG_LEVEL"], "seeds": 2}),
    "lint": Workload(Lint(), {"defines": ["BUG_LEVEL"]}),
    "formal": Workload(Formal(), {"depth": 10}),
    "synthesis": Workload(Synthesis(), {}),
    "spice": Workload(Spice(), {"voltages": [1.2], "temperatures": [25]}),
    "statistical timing": Workload(StatisticalTiming(), {"samples": 2000}),
    "sweep": Workload(
        Sweep(),
        {
            "files": {"try.py": TRY},
            "program": "try.py",
            "arguments": [],
            "space": {"x": "float 0.5 2"},
            "objective": "score",
            "search": "grid",
            "pruning": "none",
        },
    ),
    "inference": Workload(
        Inference(), {"files": {"square.py": SQUARE}, "program": "square.py", "inputs": ["0..9"], "shards": 2}
    ),
    "training": Workload(Training(), {"epochs": 100, "hidden_units": 128}),
}
pytestmark = pytest.mark.timeout(900)

FAILS_BY_DESIGN = {"simulation", "lint"}
"""The example's planted bug is found."""
_OF_THE_RUN = {"wall_seconds", "samples_per_second", "inputs_per_second", "preemptions", "resumes"}
"""Metrics that tell of the machine's speed, or how often a job was stopped."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def outcomes(slurm_cluster: Instance, folder: Path) -> dict[str, tuple[Outcome, Outcome]]:
    """By workload: on Slurm, where the training was stopped in its middle, and on the embedded node."""
    settle(slurm_cluster)
    return asyncio.run(run_all(slurm_cluster, folder))


async def run_all(instance: Instance, folder: Path) -> dict[str, tuple[Outcome, Outcome]]:
    slurm = SlurmScheduler(
        config.CLUSTER,
        slurm_client(instance, folder),
        admin_user="slurm",
        runtime_paths=default_runtime_paths(),
    )
    node = replace(node_config(folder), runtime_paths=tuple(default_runtime_paths()))
    dask = DaskScheduler("danang", EmbeddedCluster(node), MemoryPlacementStore(), partitions=[MAIN])
    clusters = (
        Cluster(slurm, instance.workspace / folder.name, "alice", 5001, hands_over_files=True),
        Cluster(dask, folder / "workspaces", "an", 20_001, hands_over_files=False),
    )
    for cluster in clusters:
        await cluster.scheduler.start()
    runs = {
        name: [await start(cluster, workload.template.render(workload.params())) for cluster in clusters]
        for name, workload in WORKLOADS.items()
    }
    await stop_in_the_middle(instance, runs["training"][0])
    found = {}
    for name, (on_slurm, on_dask) in runs.items():
        workload = WORKLOADS[name]
        found[name] = (await outcome_of(on_slurm, workload), await outcome_of(on_dask, workload))
    for cluster in clusters:
        await cluster.scheduler.close()
    return found


async def stop_in_the_middle(instance: Instance, run: Run) -> None:
    """As Slurm does before the walltime ends: the signal that the template asked for."""

    async def has_epochs() -> bool:
        return '"epoch"' in await asyncio.to_thread(text_of, run.workspace / "metrics.jsonl")

    await until(has_epochs, "the training's first epochs")
    await asyncio.to_thread(
        instance.run, "scancel", "--batch", "--signal=USR1", run.job.scheduler_job_id, user="alice"
    )


def text_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def differences(one: Results, other: Results) -> list[tuple[str, object, object]]:
    """Each part of the results that is not the same on both, tasks one by one."""
    parts = [("tasks", pair) for pair in zip_longest(one.tasks, other.tasks)]
    parts += [(name, (getattr(one, name), getattr(other, name))) for name in ("metrics", "series", "tables")]
    return [(name, *pair) for name, pair in parts if pair[0] != pair[1]]


def comparable(results: Results) -> Results:
    """Without what another run of the same job decides anew."""
    return replace(
        results,
        tasks=tuple(replace(task, metrics=steady(task.metrics)) for task in results.tasks),
        metrics=steady(results.metrics),
        tables=tuple(without_times(table) for table in results.tables),
        markers=(),
    )


def steady(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    return tuple(metric for metric in metrics if metric.name not in _OF_THE_RUN)


def without_times(table: Table) -> Table:
    kept = [place for place, column in enumerate(table.columns) if column.title != "Wall time"]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[place] for place in kept), rows=rows)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_template_gives_on_slurm_exactly_what_it_gives_on_the_embedded_node(
    outcomes: dict[str, tuple[Outcome, Outcome]], name: str
) -> None:
    on_slurm, on_dask = outcomes[name]
    assert on_slurm.results.tasks, on_slurm.output
    assert differences(comparable(on_slurm.results), comparable(on_dask.results)) == []
    verdicts = {task.verdict for task in on_slurm.results.tasks}
    assert (Verdict.FAIL in verdicts) is (name in FAILS_BY_DESIGN), on_slurm.output


def test_a_stopped_training_is_requeued_by_slurm_and_its_curve_is_that_of_one_that_ran_through(
    outcomes: dict[str, tuple[Outcome, Outcome]],
) -> None:
    on_slurm, on_dask = outcomes["training"]
    assert [(run.attempt, run.state) for run in on_slurm.snapshot.tasks] == [
        (0, JobState.FAILED),
        (1, JobState.COMPLETED),
    ]
    assert [marker.kind for marker in on_slurm.results.markers] == ["preempted", "resumed"]
    assert on_slurm.results.series == on_dask.results.series
