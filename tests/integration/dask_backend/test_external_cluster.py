"""The Dask backend on a Dask scheduler and workers of their own, some of which get killed."""

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schedulers.dask.backend import DaskScheduler
from schedulers.dask.store import MemoryPlacementStore
from schedulers.jobspec import JobSpec, RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef, Submission
from tests.contract.benches import Bench, accepted
from tests.integration.dask_backend.farm import Farm, connected, farm

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def built() -> Iterator[Farm]:
    with farm() as made:
        made.start_scheduler()
        yield made


def shell(built: Farm, script: str, **facts: Any) -> Submission:  # noqa: ANN401 - fields of JobSpec
    job_id = uuid4()
    workspace = built.folder / "workspaces" / "uni" / "lab" / "an" / str(job_id)
    workspace.mkdir(parents=True)
    facts.setdefault("resources", ResourceRequest(memory_mib_per_node=64, walltime_seconds=600))
    spec = JobSpec(name="shell", argv=("/bin/sh", "-c", script), **facts)
    return Submission(job_id, spec, "an", "uni", "lab", str(workspace), datetime.now(UTC), cluster_uid=20_001)


async def submitted(
    scheduler: DaskScheduler, store: MemoryPlacementStore, submission: Submission
) -> tuple[Bench, JobRef]:
    store.accept(submission)
    (outcome,) = await scheduler.submit([submission])
    return Bench(scheduler, Path(submission.workspace)), accepted(submission, outcome)


async def tasks_of(scheduler: DaskScheduler, job: JobRef) -> list[TaskSnapshot]:
    snapshot = (await scheduler.observe({job.job_id: job})).jobs[job.job_id]
    return sorted(snapshot.tasks, key=lambda task: task.attempt)


async def test_whoever_takes_over_does_not_wait_for_a_node_that_is_silent(built: Farm) -> None:
    """Dask lists it for minutes, and a call to it takes 20 s to fail; all jobs would wait with it."""
    built.start_worker("n1")
    built.start_worker("n2")
    store = MemoryPlacementStore()
    await (await connected(built, store, nodes=2)).close()
    built.processes["n1"].send_signal(signal.SIGSTOP)
    began = time.monotonic()
    scheduler = await connected(built, store, nodes=1)
    assert time.monotonic() - began < 15
    bench, job = await submitted(scheduler, store, shell(built, "true"))
    (task,) = (await bench.ended(job)).tasks
    assert (task.state, task.nodes) == (JobState.COMPLETED, ("n2",))
    await scheduler.close()


async def test_the_ranks_of_a_gang_run_on_all_nodes_at_once_and_know_each_other(built: Farm) -> None:
    built.start_worker("n1")
    built.start_worker("n2")
    store = MemoryPlacementStore()
    scheduler = await connected(built, store, nodes=2)
    script = (
        'echo "$HPC_NODE_RANK $HPC_NNODES $HPC_NODELIST $MASTER_ADDR $MASTER_PORT" > rank$HPC_NODE_RANK;'
        "while ! [ -e rank0 -a -e rank1 ]; do sleep 0.05; done"
    )
    asked = ResourceRequest(nodes=2, ntasks=4, memory_mib_per_node=64, walltime_seconds=60)
    submission = shell(built, script, resources=asked)
    bench, job = await submitted(scheduler, store, submission)
    (task,) = (await bench.ended(job)).tasks
    assert (task.state, task.nodes) == (JobState.COMPLETED, ("n1", "n2"))
    said = [(Path(submission.workspace) / f"rank{rank}").read_text().split() for rank in (0, 1)]
    assert [words[:3] for words in said] == [["0", "2", "n1,n2"], ["1", "2", "n1,n2"]]
    assert said[0][3:] == said[1][3:]
    assert said[0][3] == "127.0.0.1"
    await scheduler.close()


async def test_a_killed_worker_fails_its_runs_and_they_run_exactly_once_more(built: Farm) -> None:
    built.start_worker("n1", orphan_grace_seconds=1.0)
    store = MemoryPlacementStore()
    scheduler = await connected(built, store, nodes=1, node_fail_after_seconds=6.0)
    submission = shell(built, 'echo run >> runs; test "$HPC_RESTART_COUNT" = 1 || exec sleep 300')
    runs = Path(submission.workspace) / "runs"
    bench, job = await submitted(scheduler, store, submission)
    await bench.running(job)

    async def has_written() -> bool:
        return runs.exists()

    await bench.until(has_written)
    built.kill("n1")

    async def has_failed() -> bool:
        return (await tasks_of(scheduler, job))[0].state is JobState.NODE_FAIL

    await bench.until(has_failed)
    assert [node.state for node in (await scheduler.cluster()).nodes] == ["down"]
    built.start_worker("n1")
    await bench.ended(job)
    first, second = await tasks_of(scheduler, job)
    assert first.flags == {StateFlag.REQUEUED}
    assert (second.attempt, second.state) == (1, JobState.COMPLETED)
    assert runs.read_text() == "run\nrun\n"
    await scheduler.close()


async def test_a_controller_that_lost_its_right_leaves_the_runs_of_the_next_one_alone(built: Farm) -> None:
    built.start_worker("n1")
    replaced_store, store = MemoryPlacementStore(), MemoryPlacementStore()
    replaced = await connected(built, replaced_store, nodes=1)
    replaced_store.is_active = False
    scheduler = await connected(built, store, nodes=1)
    submission = shell(built, "echo run >> runs; while ! [ -e go ]; do sleep 0.05; done")
    bench, job = await submitted(scheduler, store, submission)
    await bench.running(job)
    for other in range(3):  # by the time that these have ended, it has heard of the first one, too
        _, other_id = await submitted(scheduler, store, shell(built, f"sleep 0.{other}"))
        assert (await bench.ended(other_id)).tasks[0].state is JobState.COMPLETED
    (Path(submission.workspace) / "go").touch()
    (task,) = (await bench.ended(job)).tasks
    assert (task.state, task.attempt) == (JobState.COMPLETED, 0)
    assert (Path(submission.workspace) / "runs").read_text() == "run\n"
    await replaced.close()
    await scheduler.close()


async def test_runs_go_on_while_the_dask_scheduler_and_the_worker_are_replaced(built: Farm) -> None:
    built.start_worker("n1")
    store = MemoryPlacementStore()
    scheduler = await connected(built, store, nodes=1)
    submission = shell(built, "echo run >> runs; while ! [ -e go ]; do sleep 0.05; done")
    bench, job = await submitted(scheduler, store, submission)
    await bench.running(job)
    built.kill("scheduler")
    built.kill("n1")
    built.start_scheduler()
    built.start_worker("n1")
    waiting = shell(built, "echo run >> runs")
    _, second_id = await submitted(scheduler, store, waiting)
    assert (await bench.ended(second_id)).tasks[0].state is JobState.COMPLETED
    (Path(submission.workspace) / "go").touch()
    (task,) = (await bench.ended(job)).tasks
    assert task.state is JobState.COMPLETED
    for each in (submission, waiting):
        assert (Path(each.workspace) / "runs").read_text() == "run\n"
    await scheduler.close()


async def test_a_lost_supervisor_fails_its_runs_at_once(built: Farm) -> None:
    built.start_worker("n1")
    store = MemoryPlacementStore()
    scheduler = await connected(built, store, nodes=1)
    policy = RequeuePolicy(on_node_fail=False)
    bench, job = await submitted(scheduler, store, shell(built, "exec sleep 300", requeue=policy))
    await bench.running(job)
    built.kill_supervisor("n1")
    (task,) = (await bench.ended(job)).tasks
    assert task.state is JobState.NODE_FAIL
    _, after_id = await submitted(scheduler, store, shell(built, "exit 0"))
    assert (await bench.ended(after_id)).tasks[0].state is JobState.COMPLETED
    await scheduler.close()
