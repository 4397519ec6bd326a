"""Jobs of several nodes: a Dask cluster on a real Slurm, trainings that are requeued on both backends."""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schedulers.dask.node import default_runtime_paths
from schedulers.jobspec import InputFile
from schedulers.jobstate import JobState, StateFlag
from schedulers.protocol import RequeueJob
from schedulers.slurm.backend import SlurmScheduler
from scripts.slurm_cluster import config
from scripts.slurm_cluster.errors import CommandFailed
from scripts.slurm_cluster.instance import Instance
from tests.contract.benches import change
from tests.contract.slurm_bench import SlurmBench, slurm_client
from tests.integration.workloads.clusters import HandedIn, hand_in, two_dask_nodes
from tests.integration.workloads.runner import prepare
from workloads.ai.dask_cluster import DaskCluster
from workloads.ai.training import Training, TrainingParameters
from workloads.template import Verdict

TRAINING = Training()
SMALL = {"epochs": 150, "hidden_units": 32, "batch_size": 256}
STORY = Path(__file__).with_name("dask_story.py").read_text()

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def bench(slurm: Instance, folder: Path) -> AsyncIterator[SlurmBench]:
    scheduler = SlurmScheduler(
        config.CLUSTER,
        slurm_client(slurm, folder),
        admin_user="slurm",
        runtime_paths=default_runtime_paths(),
    )
    await scheduler.start()
    yield SlurmBench(scheduler, slurm.workspace / folder.name)
    await scheduler.close()


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The small training by one and by two processes that nobody stopped; PyTorch is imported once."""
    folders = {processes: tmp_path_factory.mktemp("reference") for processes in (1, 2)}
    asked = []
    for processes, folder in folders.items():
        prepare(folder, TRAINING.render(TRAINING.validate({**SMALL, "nodes": processes})))
        asked += [str(folder), "0", "0", str(processes)]
    program = Path(__file__).with_name("forked_trainings.py")
    printed = subprocess.check_output([sys.executable, program, *asked], text=True)
    assert [json.loads(line) for line in printed.splitlines()] == [[0], [0, 0]]
    return folders


async def until_there(job: HandedIn, name: str) -> Path:
    """Wait for a file that the job writes."""
    path = job.workspace / name

    async def is_there() -> bool:
        seen = await job.bench.snapshot(job.job)
        assert not any(run.has_ended for run in seen.tasks), job.output
        return path.exists()

    await job.bench.until(is_there)
    return path


async def test_a_dask_cluster_spans_nodes_is_closed_to_others_and_gone_at_the_end(
    bench: SlurmBench, slurm: Instance
) -> None:
    template = DaskCluster()
    asked = {"partition": "eda", "cpus": 2, "memory_mib": 1000}
    raw = {
        "files": {"story.py": STORY},
        "program": "story.py",
        "arguments": ["exit"],
        "nodes": 2,
        "threads": 2,
        "resources": asked,
    }
    job = await hand_in(bench, template.render(template.validate(raw)))
    said = json.loads((await until_there(job, "told.json")).read_text())
    assert (said["names"], said["threads"], said["sum"]) == (["eda01-0", "eda02-0"], [2, 2], 333_833_500)
    assert said["memory_mib"] == [488, 488]
    (key,) = job.workspace.glob(".dask/*/key")
    assert "PRIVATE KEY" in slurm.run("cat", str(key), user="alice")
    with pytest.raises(CommandFailed, match="Permission denied"):
        slurm.run("cat", str(key), user="bob")
    (job.workspace / "go").touch()
    (run,) = await job.ended()
    assert (run.state, str(run.exit_code), run.nodes) == (JobState.FAILED, "3:0", ("eda01", "eda02")), (
        job.output
    )
    metrics = {one.name: one.value for one in template.parse(job.workspace, template.validate(raw)).metrics}
    assert (metrics["workers"], metrics["workers_lost"]) == (2, 1)
    assert job.stragglers() == []
    assert slurm.run("find", "/tmp", "-user", "alice", "-name", "dask-*") == ""  # noqa: S108 - of the cluster's nodes


async def has_begun(job: HandedIn, params: TrainingParameters) -> None:
    """Wait until some epochs of a training are recorded."""

    async def has_epochs() -> bool:
        return any(len(series.points) >= 5 for series in TRAINING.parse(job.workspace, params).series)

    await job.bench.until(has_epochs)


def assert_ended_undisturbed(job: HandedIn, params: TrainingParameters, references: dict[int, Path]) -> None:
    """Bit for bit as two processes that nobody stopped, and closely as one, whose sums round otherwise."""
    found = TRAINING.parse(job.workspace, params)
    assert [task.verdict for task in found.tasks] == [Verdict.PASS], job.output
    assert "resumed" in [marker.kind for marker in found.markers]
    assert found.series == TRAINING.parse(references[2], params).series
    loss, accuracy = TRAINING.parse(references[1], params).series
    for mine, other in zip(found.series[0].points, loss.points, strict=True):
        assert math.isclose(mine[1], other[1], rel_tol=0.02, abs_tol=1e-4), (mine, other)
    assert abs(found.series[1].points[-1][1] - accuracy.points[-1][1]) <= 0.01
    assert job.stragglers() == []


async def test_a_training_on_two_nodes_of_slurm_that_saved_itself_ends_as_one_that_ran_through(
    bench: SlurmBench, slurm: Instance, references: dict[int, Path]
) -> None:
    resources = {"cpus": 1, "memory_mib": 1024, "partition": "eda"}
    params = TRAINING.validate({**SMALL, "nodes": 2, "resources": resources})
    job = await hand_in(bench, TRAINING.render(params))
    await has_begun(job, params)
    slurm.run("scancel", "--signal=USR1", job.job.scheduler_job_id, user="alice")
    first, second = await job.ended()
    assert (StateFlag.REQUEUED in first.flags, str(first.exit_code)) == (True, "75:0"), job.output
    assert second.state is JobState.COMPLETED, job.output
    assert [run.nodes for run in (first, second)] == [("eda01", "eda02")] * 2
    assert_ended_undisturbed(job, params, references)


async def test_a_training_of_which_one_node_fails_ends_with_its_code_and_is_not_run_again(
    bench: SlurmBench, slurm: Instance
) -> None:
    """Its Python is a stand-in that ends as torchrun does when it is told to: with 1."""
    rendered = TRAINING.render(
        TRAINING.validate({**SMALL, "nodes": 2, "resources": {"cpus": 1, "partition": "eda"}})
    )
    python = """#!/bin/bash
if [ $HPC_NODE_RANK = 1 ]; then
    trap 'exit 1' TERM
    touch listens
    while :; do sleep 0.1; done
fi
until [ -e listens ]; do sleep 0.1; done
exit 69
"""
    spec = rendered.model_copy(
        update={
            "inputs": (InputFile(path="tools/python", content=python, executable=True),),
            "environment": {**rendered.environment, "PATH": "tools:/usr/bin:/bin"},
        }
    )
    job = await hand_in(bench, spec)
    runs = await job.ended()
    number = f"JobId={job.job.scheduler_job_id} "
    told = [line for line in (slurm.logs / "slurmctld.log").read_text().splitlines() if number in line]
    ends = [(run.state, str(run.exit_code)) for run in runs]
    assert ends == [(JobState.FAILED, "69:0")], "\n".join([f"{runs}", job.output, *told])


async def test_a_training_on_two_nodes_of_the_portal_s_own_cluster_that_is_requeued_does_so_too(
    references: dict[int, Path],
) -> None:
    params = TRAINING.validate({**SMALL, "nodes": 2, "resources": {"cpus": 1, "memory_mib": 1024}})
    async with two_dask_nodes() as own:
        job = await hand_in(own, TRAINING.render(params))
        await has_begun(job, params)
        await change(own, job.job, RequeueJob())
        first, second = await job.ended()
        assert StateFlag.REQUEUED in first.flags, job.output
        assert second.state is JobState.COMPLETED, job.output
        assert_ended_undisturbed(job, params, references)
