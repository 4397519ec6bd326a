"""The Dask backend on its embedded cluster: what jobs see, and what a new backend finds of the old one's."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from schedulers.dask.backend import DaskScheduler
from schedulers.dask.lanes import Floor
from schedulers.dask.store import MemoryPlacementStore, Placed, Placement
from schedulers.errors import SchedulerBroken, SchedulerUnavailable
from schedulers.jobspec import ArraySpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.protocol import Submission
from tests.contract.benches import Behaviour, Bench, embedded_scheduler, on_dask

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def started(folder: Path, store: MemoryPlacementStore) -> tuple[DaskScheduler, Bench]:
    scheduler = embedded_scheduler(folder, store)
    await scheduler.start()
    return scheduler, Bench(scheduler, folder / "workspaces")


def shell(bench: Bench, script: str, **facts: object) -> Submission:
    submission = bench.submission(Behaviour.SUCCEEDS, **facts)
    spec = submission.spec.model_copy(update={"argv": ("/bin/sh", "-c", script)})
    return Submission(
        submission.job_id,
        spec,
        submission.cluster_user,
        submission.organisation,
        submission.project,
        submission.workspace,
        submission.submitted_at,
        submission.cluster_uid,
    )


async def abandon(scheduler: DaskScheduler) -> None:
    """Let go of everything at once, as a killed process does; nothing is told to anybody."""
    for task in scheduler._tasks:
        task.cancel()
    await asyncio.gather(*scheduler._tasks, return_exceptions=True)
    for contact in scheduler._contacts.values():
        await contact.outbox.close()
    await scheduler._link.close()


async def test_a_job_finds_its_variables_and_leaves_its_output(folder: Path) -> None:
    scheduler, bench = await started(folder, MemoryPlacementStore())
    asked = ResourceRequest(ntasks=2, memory_mib_per_node=64, walltime_seconds=60, gpus_per_node={"h100": 1})
    submission = shell(
        bench,
        'echo "$SLURM_JOB_NAME $SLURM_NTASKS $HPC_GPUS_ON_NODE $HPC_ARRAY_TASK_ID $GREETING"; pwd; env >&2',
        name="sim",
        array=ArraySpec(expression="4-5"),
        resources=asked,
        environment={"GREETING": "chào"},
        stdout_path="out-%a.txt",
        stderr_path="err-%a.txt",
    )
    await scheduler.submit([submission])
    await bench.ended(on_dask(submission.job_id))
    workspace = Path(submission.workspace)
    assert (workspace / "out-4.txt").read_text().splitlines() == ["sim 2 1 4 chào", str(workspace)]
    said = (workspace / "err-5.txt").read_text()
    assert "HPC_ARRAY_TASK_COUNT=2" in said
    assert "CUDA_VISIBLE_DEVICES=" in said
    assert "PYTEST_CURRENT_TEST" not in said
    await scheduler.close()


async def test_a_new_backend_goes_on_where_the_old_one_died_and_runs_nothing_twice(folder: Path) -> None:
    store = MemoryPlacementStore()
    first, bench = await started(folder, store)
    script = 'echo "$HPC_ARRAY_TASK_ID" >> runs; while ! [ -e go ]; do sleep 0.05; done'
    submission = shell(bench, script, name="sim", array=ArraySpec(expression="0-19"))
    store.accept(submission)
    await first.submit([submission])
    job = on_dask(submission.job_id)
    await bench.running(job, 4)
    await abandon(first)
    (Path(submission.workspace) / "go").touch()

    second, bench = await started(folder, store)
    seen = await bench.ended(job)
    assert sorted(task.task_index for task in seen.tasks) == list(range(20))
    assert {task.state for task in seen.tasks} == {JobState.COMPLETED}
    runs = (Path(submission.workspace) / "runs").read_text().split()
    assert sorted(map(int, runs)) == list(range(20))
    await second.close()


async def test_a_cancel_that_the_old_backend_did_not_carry_out_is_carried_out_by_the_new_one(
    folder: Path,
) -> None:
    store = MemoryPlacementStore()
    first, bench = await started(folder, store)
    submission = shell(bench, "exec sleep 300", array=ArraySpec(expression="0-99"), name="sim")
    store.accept(submission)
    await first.submit([submission])
    job = on_dask(submission.job_id)
    await bench.running(job, 4)
    store.request_cancel(submission.job_id)
    await abandon(first)

    second, bench = await started(folder, store)
    seen = await bench.ended(job)
    assert {task.state for task in seen.tasks} == {JobState.CANCELLED}
    assert len(seen.tasks) == 4
    await second.close()


class ForgetfulStore(MemoryPlacementStore):
    """Writes the first placements, but its answer gets lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0

    async def place(self, placements: Sequence[Placement]) -> Placed:
        placed = await super().place(placements)
        if not self.lost:
            self.lost += 1
            message = "the connection broke after the commit"
            raise ConnectionError(message)
        return placed


async def test_a_placement_whose_answer_got_lost_is_found_in_the_store_and_started(folder: Path) -> None:
    store = ForgetfulStore()
    scheduler, bench = await started(folder, store)
    submission = shell(bench, "echo run >> runs", array=ArraySpec(expression="0-7"), name="sim")
    store.accept(submission)
    await scheduler.submit([submission])
    seen = await bench.ended(on_dask(submission.job_id))
    assert store.lost
    assert {task.state for task in seen.tasks} == {JobState.COMPLETED}
    assert (Path(submission.workspace) / "runs").read_text() == "run\n" * 8
    await scheduler.close()


async def test_a_backend_that_is_not_started_says_so(folder: Path) -> None:
    scheduler = embedded_scheduler(folder, MemoryPlacementStore())
    with pytest.raises(SchedulerUnavailable):
        await scheduler.cluster()


async def test_ten_thousand_waiting_tasks_are_cancelled_while_others_run(folder: Path) -> None:
    scheduler, bench = await started(folder, MemoryPlacementStore())
    stays = await bench.submit(Behaviour.STAYS, resources=ResourceRequest(ntasks=4, memory_mib_per_node=64))
    await bench.running(stays)
    waiting = [bench.submission(Behaviour.SUCCEEDS) for _ in range(200)]
    array = bench.submission(Behaviour.SUCCEEDS, array=ArraySpec(expression="0-9999"))
    await scheduler.submit([*waiting, array])
    await scheduler.cancel([on_dask(submission.job_id) for submission in (*waiting, array)])
    for submission in (*waiting, array):
        assert (await bench.snapshot(on_dask(submission.job_id))).is_closed
    await bench.clear()
    await scheduler.close()


async def test_a_backend_that_failed_amid_a_plan_is_of_no_more_use_and_the_next_one_runs_the_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job was taken out of the queue and is nowhere now: closed without a run, as if cancelled."""
    store = MemoryPlacementStore()
    scheduler, bench = await started(folder, store)
    submission = bench.submission(Behaviour.SUCCEEDS)
    store.accept(submission)
    job = on_dask(submission.job_id)
    with monkeypatch.context() as patched:
        patched.setattr(Floor, "_order", lambda *_, **__: 1 / 0)
        await scheduler.submit([submission])
        async with asyncio.timeout(60):
            while scheduler._failure is None:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.02)
    assert scheduler._foreman.book.snapshots({job.job_id: job}, None)[job.job_id].is_closed
    for asked in (scheduler.observe({job.job_id: job}), scheduler.submit([submission]), scheduler.cluster()):
        with pytest.raises(SchedulerBroken, match="division by zero"):
            await asked
    await scheduler.close()
    scheduler, bench = await started(folder, store)
    (run,) = (await bench.ended(job)).tasks
    assert run.state is JobState.COMPLETED
    await scheduler.close()
