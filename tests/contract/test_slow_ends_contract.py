"""What every scheduler backend promises about walltimes and requeues; a real Slurm takes its time for it."""

from dataclasses import dataclass

import pytest

from schedulers.jobspec import RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState, StateFlag, TaskSnapshot
from schedulers.protocol import JobRef, RequeueJob, SetWalltime
from tests.contract.benches import BACKENDS, Behaviour, Bench, change, runs_again

pytestmark = [
    pytest.mark.anyio,
    # The way in which requests get to Slurm makes no difference to its clock.
    pytest.mark.parametrize("module_bench", BACKENDS, indirect=True, scope="module"),
]

Runs = list[TaskSnapshot]
"""Of one job, in the order of their attempts."""


@dataclass(frozen=True)
class SlowEnds:
    """The runs of jobs that ran side by side."""

    out_of_time: Runs
    given_time_while_running: Runs
    given_time_while_waiting: Runs
    requeued: Runs
    requeued_and_given_time: Runs
    saved_once: Runs
    saved_for_ever: Runs


@pytest.fixture(scope="module")
async def ends(module_bench: Bench) -> SlowEnds:
    """Slurm counts walltimes in minutes, and lets a requeued job wait for 20 seconds: all wait together."""
    bench = module_bench
    short = ResourceRequest(memory_mib_per_node=64, walltime_seconds=1)
    longer = ResourceRequest(memory_mib_per_node=64, walltime_seconds=60)
    waiting = await changed_behind_a_blocker(bench)
    requeued, twice = await bench.submit(Behaviour.STAYS), await bench.submit(Behaviour.STAYS)
    await bench.running(requeued)
    await change(bench, requeued, RequeueJob())
    out_of_time = await bench.submit(Behaviour.STAYS, resources=short)
    running = await bench.submit(Behaviour.STAYS, resources=longer)
    await bench.running(running)
    await change(bench, running, SetWalltime(1))
    once = await bench.submit(Behaviour.SAVES_ONCE, requeue=RequeuePolicy(on_exit_codes=(75,)))
    for_ever = await bench.submit(
        Behaviour.SAVES_FOR_EVER, requeue=RequeuePolicy(on_exit_codes=(75,), max_requeues=2)
    )
    await bench.running(twice)
    asked_at = bench.now()
    await change(bench, twice, RequeueJob(started_before=asked_at))
    await runs_again(bench, requeued)
    await runs_again(bench, twice)
    await change(bench, twice, RequeueJob(started_before=asked_at))
    await change(bench, twice, SetWalltime(1))
    await bench.scheduler.cancel([requeued])

    async def runs(job: JobRef) -> Runs:
        return sorted((await bench.ended(job)).tasks, key=lambda task: task.attempt)

    found = SlowEnds(
        out_of_time=await runs(out_of_time),
        given_time_while_running=await runs(running),
        given_time_while_waiting=await runs(waiting),
        requeued=await runs(requeued),
        requeued_and_given_time=await runs(twice),
        saved_once=await runs(once),
        saved_for_ever=await runs(for_ever),
    )
    await bench.clear()
    return found


async def changed_behind_a_blocker(bench: Bench) -> JobRef:
    """A job that got its walltime while it waited, and runs now or soon."""
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    waiting = await bench.submit(Behaviour.STAYS)
    await change(bench, waiting, SetWalltime(1))
    await bench.scheduler.cancel([blocker])
    await bench.ended(blocker)
    return waiting


async def test_a_job_that_reaches_its_walltime_ends_as_timeout(ends: SlowEnds) -> None:
    (task,) = ends.out_of_time
    assert task.state is JobState.TIMEOUT


async def test_a_job_that_runs_gets_more_time(ends: SlowEnds) -> None:
    (task,) = ends.given_time_while_running
    assert task.state is JobState.TIMEOUT


async def test_a_job_that_waits_runs_with_its_new_walltime(ends: SlowEnds) -> None:
    (task,) = ends.given_time_while_waiting
    assert task.state is JobState.TIMEOUT


async def test_a_requeue_asked_again_with_its_instant_requeues_nothing_twice(ends: SlowEnds) -> None:
    first, second = ends.requeued_and_given_time
    assert (first.attempt, second.attempt, second.state) == (0, 1, JobState.TIMEOUT)


async def test_a_requeued_job_ends_its_run_and_runs_again(ends: SlowEnds) -> None:
    first, second = ends.requeued
    assert (first.attempt, first.has_ended) == (0, True)
    assert StateFlag.REQUEUED in first.flags
    assert first.started_at
    assert (second.attempt, second.state) == (1, JobState.CANCELLED)


async def test_an_exit_code_for_saved_work_runs_the_job_again(ends: SlowEnds) -> None:
    first, second = ends.saved_once
    assert (first.attempt, first.state, str(first.exit_code)) == (0, JobState.FAILED, "75:0")
    assert first.flags == {StateFlag.REQUEUED}
    assert (second.attempt, second.state, second.flags) == (1, JobState.COMPLETED, frozenset())


async def test_requeues_come_to_an_end(ends: SlowEnds) -> None:
    assert [StateFlag.REQUEUED in task.flags for task in ends.saved_for_ever] == [True, True, False]
