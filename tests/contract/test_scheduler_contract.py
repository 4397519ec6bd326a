"""What every scheduler backend promises, whatever is behind it (schedulers/protocol.py)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from schedulers.cluster import NodeState
from schedulers.jobspec import ArraySpec, DependencyKind, RequeuePolicy, ResourceRequest
from schedulers.jobstate import ExitCode, JobState
from schedulers.protocol import (
    CancelTasks,
    Carried,
    ChangeRequest,
    Feature,
    HoldJob,
    JobRef,
    Refused,
    ReleaseJob,
    RequeueJob,
    SchedulerDependency,
    SetWalltime,
)
from tests.contract.benches import Behaviour, Bench, accepted

pytestmark = pytest.mark.anyio


async def test_a_job_completes_with_exit_code_zero(bench: Bench) -> None:
    job = await bench.submit(Behaviour.SUCCEEDS)
    (task,) = (await bench.ended(job)).tasks
    assert (task.task_index, task.attempt, task.state) == (0, 0, JobState.COMPLETED)
    assert task.exit_code == ExitCode(0, 0)
    assert task.nodes == (bench.node.name,)
    assert task.started_at
    assert task.ended_at
    assert task.started_at <= task.ended_at


async def test_a_job_that_exits_with_a_code_has_failed_with_it(bench: Bench) -> None:
    (task,) = (await bench.ended(await bench.submit(Behaviour.EXITS_WITH_3))).tasks
    assert (task.state, str(task.exit_code)) == (JobState.FAILED, "3:0")


async def test_a_signal_is_told_apart_from_an_exit_code(bench: Bench) -> None:
    (task,) = (await bench.ended(await bench.submit(Behaviour.IS_KILLED))).tasks
    assert (task.state, str(task.exit_code)) == (JobState.FAILED, "0:9")


async def test_an_ended_run_is_metered(bench: Bench) -> None:
    asked = ResourceRequest(
        ntasks=2, memory_mib_per_node=64, walltime_seconds=60, gpus_per_node={"h100": 1}, licenses={"vcs": 1}
    )
    job = await bench.submit(Behaviour.SUCCEEDS, resources=asked)
    (task,) = (await bench.ended(job)).tasks
    run = (await bench.scheduler.accounted([job]))[job.job_id, 0, 0]
    usage = run.usage
    assert usage
    assert (run.state, run.exit_code) == (task.state, task.exit_code)
    assert usage.elapsed_seconds >= 1 or usage.started_at == usage.ended_at
    assert usage.allocated_tres == {
        "cpu": 2,
        "mem": 64,
        "node": 1,
        "gres/gpu": 1,
        "gres/gpu:h100": 1,
        "license/vcs": 1,
    }
    if Feature.METERS_USAGE in bench.scheduler.features:
        assert task.usage == usage


async def test_the_same_job_submitted_again_is_the_same_job(bench: Bench) -> None:
    submission = bench.submission(Behaviour.SUCCEEDS)
    first = await bench.scheduler.submit([submission, submission])
    again = await bench.scheduler.submit([submission])
    (only,) = {*first, *again}
    seen = await bench.ended(accepted(submission, only))
    assert await bench.scheduler.submit([submission]) == [only]
    assert len(seen.tasks) == 1


async def test_a_job_whose_answer_got_lost_is_found(bench: Bench) -> None:
    submission = bench.submission(Behaviour.SUCCEEDS)
    never_sent = uuid4()
    assert await bench.scheduler.find({submission.job_id: "an"}) == {}
    outcomes = await bench.scheduler.submit([submission])
    found = await bench.scheduler.find({submission.job_id: "an", never_sent: "an"})
    assert found == {submission.job_id: outcomes[0]}
    (job,) = await bench.find_all()
    await bench.ended(job)


async def test_an_unknown_partition_is_refused_and_leaves_nothing_behind(bench: Bench) -> None:
    submission = bench.submission(Behaviour.SUCCEEDS, partition="gone")
    (outcome,) = await bench.scheduler.submit([submission])
    assert isinstance(outcome, Refused)
    assert "gone" in outcome.reason
    assert await bench.scheduler.find({submission.job_id: "an"}) == {}


async def test_an_array_runs_every_task_once_and_no_more_at_a_time_than_its_throttle(bench: Bench) -> None:
    job = await bench.submit(Behaviour.SUCCEEDS, array=ArraySpec(expression="0-8:2,11%2"))
    most = 0

    async def has_ended() -> bool:
        nonlocal most
        seen = await bench.snapshot(job)
        most = max(most, sum(task.state is JobState.RUNNING for task in seen.tasks))
        return seen.is_closed and all(task.has_ended for task in seen.tasks)

    await bench.until(has_ended)
    tasks = (await bench.snapshot(job)).tasks
    assert sorted(task.task_index for task in tasks) == [0, 2, 4, 6, 8, 11]
    assert {(task.attempt, task.state) for task in tasks} == {(0, JobState.COMPLETED)}
    assert most <= 2


async def test_a_throttled_array_says_why_it_waits(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS, array=ArraySpec(expression="0-3%2"))
    await bench.running(job, 2)

    async def says_so() -> bool:
        return (await bench.snapshot(job)).pending_reason == "JobArrayTaskLimit"

    await bench.until(says_so)
    seen = await bench.snapshot(job)
    assert len(seen.tasks) == 2
    assert not seen.is_closed


async def test_a_job_that_waits_is_cancelled_without_ever_running(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    waiting = await bench.submit(Behaviour.SUCCEEDS, array=ArraySpec(expression="0-9999"))
    await bench.scheduler.cancel([waiting])
    seen = await bench.ended(waiting)
    assert seen.is_closed
    assert seen.tasks == ()


async def test_a_job_that_waits_says_why(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    waiting = await bench.submit(Behaviour.SUCCEEDS)

    async def says_so() -> bool:
        return (await bench.snapshot(waiting)).pending_reason == "Resources"

    await bench.until(says_so)


async def test_a_running_job_is_cancelled(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS)
    await bench.running(job)
    await bench.scheduler.cancel([job])
    (task,) = (await bench.ended(job)).tasks
    assert task.state is JobState.CANCELLED


async def test_cancelling_a_job_that_ended_changes_nothing(bench: Bench) -> None:
    job = await bench.submit(Behaviour.SUCCEEDS)
    before = await bench.ended(job)
    await bench.scheduler.cancel([job, JobRef(uuid4(), "unknown")])
    assert await bench.snapshot(job) == before


async def test_observing_since_a_cursor_tells_only_what_changed(bench: Bench) -> None:
    stays, ends = await bench.submit(Behaviour.STAYS), await bench.submit(Behaviour.EXITS_WITH_3)
    await bench.running(stays)
    await bench.ended(ends)
    both = {job.job_id: job for job in (stays, ends)}
    everything = await bench.scheduler.observe(both)
    assert everything.jobs.keys() == both.keys()
    await bench.scheduler.cancel([stays])
    await bench.ended(stays)
    changed = await bench.scheduler.observe(both, since=everything.cursor)
    assert changed.jobs.keys() == {stays.job_id}
    nothing = await bench.scheduler.observe(both, since=changed.cursor)
    assert nothing.jobs == {}
    assert nothing.cursor >= changed.cursor > everything.cursor


async def test_a_job_that_the_scheduler_does_not_know_is_missing_not_ended(bench: Bench) -> None:
    unknown = JobRef(uuid4(), "unknown")
    assert (await bench.scheduler.observe({unknown.job_id: unknown})).jobs == {}
    assert await bench.scheduler.accounted([unknown]) == {}


async def test_another_job_that_has_the_number_is_not_taken_for_the_job(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS, requeue=RequeuePolicy(on_node_fail=False))
    await bench.running(job)
    before = replace(job, job_id=uuid4(), dispatched_at=datetime.now(UTC) - timedelta(days=9))
    if before.scheduler_job_id == str(job.job_id):
        before = replace(before, scheduler_job_id=str(before.job_id))  # here a job's id is its number
    assert (await bench.scheduler.observe({before.job_id: before})).jobs == {}
    await bench.scheduler.cancel([before])
    for change in (SetWalltime(900), HoldJob(), RequeueJob(), CancelTasks(ArraySpec(expression="0"))):
        (outcome,) = await bench.scheduler.change([ChangeRequest(before, change)])
        assert isinstance(outcome, Refused)
    assert [(task.attempt, task.state) for task in (await bench.snapshot(job)).tasks] == [
        (0, JobState.RUNNING)
    ]
    await bench.scheduler.cancel([job])
    await bench.ended(job)
    assert await bench.scheduler.accounted([before]) == {}


async def test_a_forgotten_job_is_known_no_more(bench: Bench) -> None:
    submission = bench.submission(Behaviour.SUCCEEDS)
    await bench.hand_over(submission)
    (job,) = await bench.find_all()
    await bench.ended(job)
    await bench.scheduler.forget([job, JobRef(uuid4(), "unknown")])
    assert await bench.scheduler.find({submission.job_id: "an"}) == {}
    assert (await bench.scheduler.observe({job.job_id: job})).jobs == {}


async def test_waiting_for_a_change_returns_when_there_is_one(bench: Bench) -> None:
    if Feature.PUSHES_CHANGES not in bench.scheduler.features:
        pytest.skip("this backend is polled")
    await bench.scheduler.observe({})
    await bench.submit(Behaviour.STAYS)
    assert await bench.scheduler.wait_for_change(60)


async def test_the_cluster_shows_what_jobs_hold(bench: Bench) -> None:
    asked = ResourceRequest(
        ntasks=3, memory_mib_per_node=64, walltime_seconds=60, gpus_per_node={"h100": 1}, licenses={"vcs": 1}
    )
    job = await bench.submit(Behaviour.STAYS, resources=asked)
    await bench.running(job)
    cluster = await bench.scheduler.cluster()
    nodes = {node.name: node for node in cluster.nodes}
    assert nodes.keys() == {bench.node.name, *bench.other_nodes}
    node = nodes[bench.node.name]
    assert (cluster.name, node.state) == ("danang", NodeState.UP)
    assert (node.cpus, node.memory_mib, node.gpus) == (
        bench.node.cpus,
        bench.node.memory_mib,
        bench.node.gpus,
    )
    assert (node.allocated_cpus, node.allocated_memory_mib, node.allocated_gpus) == (3, 64, {"h100": 1})
    assert {item.feature: (item.total, item.used) for item in cluster.licenses} == {
        feature: (total, int(feature == "vcs")) for feature, total in bench.licenses.items()
    }
    default = cluster.partition(None)
    assert default
    assert bench.node.name in default.nodes or default.nodes == ("*",)


async def test_a_job_handed_over_held_starts_when_it_is_released(bench: Bench) -> None:
    submission = replace(bench.submission(Behaviour.SUCCEEDS), is_held=True)
    job = await bench.hand_over(submission)

    async def is_held() -> bool:
        return (await bench.snapshot(job)).pending_reason == "JobHeldUser"

    await bench.until(is_held)
    assert (await bench.snapshot(job)).tasks == ()
    assert await bench.scheduler.change([ChangeRequest(job, ReleaseJob())]) == [Carried()]
    (task,) = (await bench.ended(job)).tasks
    assert task.state is JobState.COMPLETED


async def test_a_job_starts_after_those_that_it_depends_on_and_not_after_a_failure(bench: Bench) -> None:
    if Feature.KEEPS_DEPENDENCIES not in bench.scheduler.features:
        pytest.skip("the portal keeps dependencies for this backend")
    fails = await bench.submit(Behaviour.EXITS_WITH_3)

    async def after(kind: DependencyKind) -> JobRef:
        submission = bench.submission(Behaviour.SUCCEEDS)
        condition = SchedulerDependency(kind, fails.scheduler_job_id)
        return await bench.hand_over(replace(submission, dependencies=(condition,)))

    never, mourns = await after(DependencyKind.AFTEROK), await after(DependencyKind.AFTERANY)
    (failed,) = (await bench.ended(fails)).tasks
    (task,) = (await bench.ended(mourns)).tasks
    assert failed.ended_at
    assert task.started_at
    assert failed.ended_at <= task.started_at

    async def is_hopeless() -> bool:
        return (await bench.snapshot(never)).pending_reason == "DependencyNeverSatisfied"

    await bench.until(is_hopeless)
