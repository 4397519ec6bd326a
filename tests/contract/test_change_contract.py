"""What every scheduler backend promises about changes of jobs under way (Scheduler.change)."""

from uuid import uuid4

import pytest

from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState
from schedulers.protocol import (
    CancelTasks,
    Carried,
    ChangeOutcome,
    ChangeRequest,
    HoldJob,
    JobRef,
    Refused,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from tests.contract.benches import BACKENDS, Behaviour, Bench, change

pytestmark = [
    pytest.mark.anyio,
    # Slurm counts walltimes in minutes: once is enough, on whatever way requests get there.
    pytest.mark.parametrize("module_bench", BACKENDS, indirect=True, scope="module"),
]

ALL_CHANGES = (
    HoldJob(),
    ReleaseJob(),
    RequeueJob(),
    SetWalltime(900),
    SetNice(5),
    CancelTasks(ArraySpec(expression="0")),
)


async def shows_reason(bench: Bench, job: JobRef, reason: str) -> None:
    async def says_so() -> bool:
        return (await bench.snapshot(job)).pending_reason == reason

    await bench.until(says_so)


async def test_a_held_job_waits_until_it_is_released(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    held = await bench.submit(Behaviour.SUCCEEDS)
    await change(bench, held, HoldJob(), HoldJob())
    await shows_reason(bench, held, "JobHeldUser")
    await bench.scheduler.cancel([blocker])
    await bench.ended(blocker)
    other = await bench.submit(Behaviour.SUCCEEDS)  # it came later, and goes past the held one
    await bench.ended(other)
    assert (await bench.snapshot(held)).tasks == ()
    await change(bench, held, ReleaseJob(), ReleaseJob())
    (task,) = (await bench.ended(held)).tasks
    assert (task.attempt, task.state) == (0, JobState.COMPLETED)


async def test_an_administrator_s_hold_says_that_it_is_one(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    held = await bench.submit(Behaviour.SUCCEEDS)
    await change(bench, held, HoldJob(by_administrator=True))
    await shows_reason(bench, held, "JobHeldAdmin")


async def test_of_a_held_array_what_runs_goes_on_and_nothing_more_starts(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS, array=ArraySpec(expression="0-2%1"))
    await bench.running(job)
    await change(bench, job, HoldJob())
    await shows_reason(bench, job, "JobHeldUser")
    (task,) = (await bench.snapshot(job)).tasks
    assert (task.task_index, task.state) == (0, JobState.RUNNING)
    await change(bench, job, CancelTasks(ArraySpec(expression="0")))

    async def has_ended() -> bool:
        return all(task.has_ended for task in (await bench.snapshot(job)).tasks)

    await bench.until(has_ended)
    assert len((await bench.snapshot(job)).tasks) == 1


async def test_a_walltime_beyond_the_partition_s_is_refused(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS)
    (outcome,) = await bench.scheduler.change(
        [ChangeRequest(job, SetWalltime(2 * bench.longest_walltime_seconds))]
    )
    assert isinstance(outcome, Refused)
    assert outcome.reason


async def test_a_nicer_job_lets_others_go_first(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    first = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    second = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await change(bench, first, SetNice(1000))
    await bench.scheduler.cancel([blocker])
    await bench.running(second)
    assert (await bench.snapshot(first)).tasks == ()


async def test_cancelled_tasks_end_and_the_others_go_on(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS, array=ArraySpec(expression="0-5%2"))
    await bench.running(job, 2)
    await change(bench, job, *[CancelTasks(ArraySpec(expression="1,3-4"))] * 2)

    async def has_replaced() -> bool:
        tasks = (await bench.snapshot(job)).tasks
        return {task.task_index for task in tasks if task.state is JobState.RUNNING} == {0, 2}

    await bench.until(has_replaced)
    ended = {task.task_index: task for task in (await bench.snapshot(job)).tasks if task.has_ended}
    assert {index: task.state for index, task in ended.items()} == dict.fromkeys(
        (1, 3, 4), JobState.CANCELLED
    )
    assert [task.task_index for task in ended.values() if task.started_at] == [1]
    assert not (await bench.snapshot(job)).is_closed


async def test_cancelling_its_last_tasks_closes_an_array(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    job = await bench.submit(Behaviour.SUCCEEDS, array=ArraySpec(expression="2-4"))
    await change(bench, job, CancelTasks(ArraySpec(expression="2-4")))
    tasks = (await bench.ended(job)).tasks
    assert {(task.task_index, task.state) for task in tasks} == {(n, JobState.CANCELLED) for n in (2, 3, 4)}


async def test_what_is_unknown_or_over_is_refused(bench: Bench) -> None:
    job = await bench.submit(Behaviour.SUCCEEDS)
    before = await bench.ended(job)
    for known in (job, JobRef(uuid4(), "987654")):
        requests = [ChangeRequest(known, one) for one in ALL_CHANGES]
        outcomes: list[ChangeOutcome] = list(await bench.scheduler.change(requests))
        assert [type(outcome) for outcome in outcomes] == [Refused for _ in ALL_CHANGES]
    assert await bench.snapshot(job) == before


async def test_outcomes_come_in_the_order_of_the_requests(bench: Bench) -> None:
    job = await bench.submit(Behaviour.STAYS)
    unknown, known = (
        ChangeRequest(JobRef(uuid4(), "987654"), SetNice(3)),
        ChangeRequest(job, SetWalltime(900)),
    )
    outcomes = await bench.scheduler.change([unknown, known, unknown])
    assert [type(outcome) for outcome in outcomes] == [Refused, Carried, Refused]


async def test_a_job_with_negative_nice_overtakes_the_others(bench: Bench) -> None:
    blocker = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await bench.running(blocker)
    first = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    second = await bench.submit(Behaviour.STAYS, resources=bench.whole_node)
    await change(bench, second, SetNice(-1000))
    await bench.scheduler.cancel([blocker])
    await bench.running(second)
    assert (await bench.snapshot(first)).tasks == ()
