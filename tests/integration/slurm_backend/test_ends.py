"""Every way to end is told as Slurm tells it, with what it cost."""

import time
from dataclasses import replace
from uuid import uuid4

import pytest

from schedulers.jobspec import ArraySpec, RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState, StateFlag
from schedulers.protocol import CancelTasks, Carried, ChangeRequest
from schedulers.slurm.follow_jobs import CANCELLED_SECONDS
from schedulers.slurm.translate import comment_of
from scripts.slurm_cluster import daemons
from tests.integration.slurm_backend.conftest import SMALL, Portal, configured

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


async def test_exit_code_signal_and_success_are_told_apart(portal: Portal) -> None:
    good, bad, killed = [await portal.submit(command) for command in ("exit 0", "exit 41", "kill -s SEGV $$")]
    ends = [await portal.end_of(job) for job in (good, bad, killed)]
    assert [(end.state, str(end.exit_code), end.reason) for end in ends] == [
        (JobState.COMPLETED, "0:0", ""),
        (JobState.FAILED, "41:0", "NonZeroExitCode"),
        (JobState.FAILED, "0:11", "RaisedSignal"),
    ]
    for job in (good, bad, killed):
        await portal.charged(job, runs=1)


async def test_a_job_over_its_memory_ends_as_out_of_memory(portal: Portal) -> None:
    hungry = "perl -e '$x = \"a\" x 400_000_000; sleep 60'"
    job = await portal.submit(hungry)
    assert (await portal.end_of(job)).state is JobState.OUT_OF_MEMORY
    await portal.charged(job, runs=1)


async def test_a_job_cancelled_while_it_waits_never_started_and_costs_nothing(portal: Portal) -> None:
    both, one = (SMALL.model_copy(update={"licenses": {"primetime": count}}) for count in (2, 1))
    holder = await portal.submit("sleep 300", resources=both)
    await portal.running(holder)
    waiting = await portal.submit("exit 0", resources=one)
    await portal.waits(waiting, "Licenses")
    await portal.scheduler.cancel([waiting])
    seen = await portal.ended(waiting)
    assert (seen.tasks, seen.pending_reason) == ((), "")
    assert await portal.scheduler.accounted([waiting]) == {}
    await portal.scheduler.cancel([holder])
    end = await portal.end_of(holder)
    assert (end.state, end.exit_code and end.exit_code.signal) == (JobState.CANCELLED, 15)
    usage = (await portal.charged(holder, runs=1))[holder.job_id, 0, 0].usage
    assert usage
    assert usage.elapsed_seconds >= 1
    assert usage.allocated_tres["license/primetime"] == 2


async def test_a_run_that_its_node_takes_down_is_node_fail_and_runs_again_elsewhere(portal: Portal) -> None:
    job = await portal.submit("test $HPC_RESTART_COUNT -ge 1 || sleep 600", partition="eda")
    first = await portal.running(job)
    (node,) = first.nodes
    daemons.kill(portal.instance, f"slurmd-{node}")
    portal.instance.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=story")
    lost, *others = sorted((await portal.ended(job)).tasks, key=lambda run: run.attempt)
    assert (lost.state, lost.nodes) == (JobState.NODE_FAIL, (node,))
    assert lost.flags == {StateFlag.REQUEUED}
    assert others[-1].state is JobState.COMPLETED
    assert others[-1].nodes != (node,)
    runs = await portal.charged(job, runs=1 + len(others))
    assert runs[job.job_id, 0, 0].started_at == first.started_at


async def test_a_run_whose_node_falls_silent_is_node_fail_and_runs_again_elsewhere(portal: Portal) -> None:
    with configured(portal.instance, SlurmdTimeout=10):
        job = await portal.submit("test $HPC_RESTART_COUNT -ge 1 || sleep 600", partition="eda")
        (node,) = (await portal.running(job)).nodes
        daemons.kill(portal.instance, f"slurmd-{node}")
        lost, *others = sorted((await portal.ended(job)).tasks, key=lambda run: run.attempt)
    assert (lost.state, lost.nodes) == (JobState.NODE_FAIL, (node,))
    assert lost.flags == {StateFlag.REQUEUED}
    assert others[-1].state is JobState.COMPLETED
    assert others[-1].nodes != (node,)
    await portal.charged(job, runs=1 + len(others))


async def test_an_array_cancelled_before_it_started_is_closed_as_soon_as_slurmdbd_has_heard(
    portal: Portal,
) -> None:
    held = replace(portal.submission("exit 0", array=ArraySpec(expression="0-99")), is_held=True)
    job = await portal.hand_over(held)
    await portal.waits(job, "JobHeldUser")
    await portal.scheduler.cancel([job])
    cancelled_at = time.monotonic()
    assert (await portal.ended(job)).tasks == ()
    assert time.monotonic() - cancelled_at < CANCELLED_SECONDS  # it was a minute and more once


async def test_a_job_that_must_not_run_again_ends_with_its_node(portal: Portal) -> None:
    policy = RequeuePolicy(on_node_fail=False)
    job = await portal.submit("sleep 600", partition="eda", requeue=policy)
    (node,) = (await portal.running(job)).nodes
    daemons.kill(portal.instance, f"slurmd-{node}")
    portal.instance.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=story")
    end = await portal.end_of(job)
    assert (end.state, end.flags) == (JobState.NODE_FAIL, frozenset())
    await portal.charged(job, runs=1)


async def test_tasks_of_an_array_are_cancelled_alone_waiting_or_running(portal: Portal) -> None:
    job = await portal.submit("sleep 300", array=ArraySpec(expression="0-9%2"))
    await portal.running(job)
    request = ChangeRequest(job, CancelTasks(ArraySpec(expression="0,5-9")))
    assert await portal.scheduler.change([request]) == [Carried()]

    async def are_cancelled() -> bool:
        seen = await portal.seen(job)
        ended = {task.task_index for task in (seen.tasks if seen else ()) if task.has_ended}
        return ended == {0, 5, 6, 7, 8, 9}

    await portal.until(are_cancelled)
    seen = await portal.seen(job)
    assert seen
    assert not seen.is_closed
    never_started = {task.task_index for task in seen.tasks if task.has_ended and task.started_at is None}
    assert never_started >= {5, 6, 7, 8, 9}
    await portal.scheduler.cancel([job])
    assert {task.state for task in (await portal.ended(job)).tasks} == {JobState.CANCELLED}


async def test_a_requeued_run_and_the_next_are_charged_apart(portal: Portal) -> None:
    gpus = ResourceRequest(memory_mib_per_node=64, walltime_seconds=600, gpus_per_node={"h100": 2})
    command = "echo started >> started; test $HPC_RESTART_COUNT -ge 1 || sleep 600"
    submission = portal.submission(command, resources=gpus)
    job = await portal.hand_over(submission)
    first = await portal.running(job)

    async def has_begun() -> bool:
        return portal.started(submission.job_id) == 1

    await portal.until(has_begun)
    assert first.gpu_indices == {first.nodes[0]: (0, 1)}
    portal.instance.run("scontrol", "requeue", job.scheduler_job_id)
    before, after = sorted((await portal.ended(job)).tasks, key=lambda run: run.attempt)
    assert before.state is JobState.CANCELLED
    assert before.flags == {StateFlag.REQUEUED}
    assert (after.attempt, after.state) == (1, JobState.COMPLETED)
    runs = await portal.charged(job, runs=2)
    usages = [run.usage for _, run in sorted(runs.items()) if run.usage]
    assert [usage.allocated_tres["gres/gpu:h100"] for usage in usages] == [2, 2]
    assert usages[1].started_at
    assert usages[0].ended_at <= usages[1].started_at


async def test_a_user_who_gives_a_job_another_name_and_key_changes_nothing(portal: Portal) -> None:
    submission = portal.submission("test $HPC_RESTART_COUNT -ge 1 || sleep 600")
    job = await portal.hand_over(submission)
    await portal.running(job)
    changes = f"JobId={job.scheduler_job_id}", f"Comment={comment_of(uuid4())}", "JobName=renamed"
    portal.instance.run("scontrol", "update", *changes, user=submission.cluster_user)
    portal.instance.run("scontrol", "requeue", job.scheduler_job_id)
    first, second = sorted((await portal.ended(job)).tasks, key=lambda run: run.attempt)
    assert (first.state, second.state) == (JobState.CANCELLED, JobState.COMPLETED)
    await portal.charged(job, runs=2)
