"""What waits for what: throttles, licences, dependencies, holds."""

import asyncio
from dataclasses import replace
from itertools import accumulate

import pytest

from schedulers.jobspec import ArraySpec, DependencyKind
from schedulers.jobstate import JobState, TaskSnapshot
from schedulers.protocol import (
    Accepted,
    Carried,
    ChangeRequest,
    HoldJob,
    JobRef,
    Refused,
    ReleaseJob,
    SchedulerDependency,
    SetNice,
    SetWalltime,
)
from tests.integration.slurm_backend.conftest import SMALL, WAITS_FOR_GATE, Portal

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


async def test_a_thousand_tasks_run_once_each_and_no_more_than_the_throttle(portal: Portal) -> None:
    program = "echo $HPC_ARRAY_TASK_ID >> tasks; echo +1 >> at_once; sleep 0.1; echo -1 >> at_once"
    submission = portal.submission(program, array=ArraySpec(expression="0-999%50"))
    job = await portal.hand_over(submission)
    cursor = None
    ends: dict[int, list[TaskSnapshot]] = {}

    async def has_ended() -> bool:
        nonlocal cursor
        observation = await portal.scheduler.observe({job.job_id: job}, since=cursor)
        cursor = observation.cursor
        for task in observation.jobs[job.job_id].tasks if observation.jobs else ():
            if task.has_ended:
                ends.setdefault(task.task_index, []).append(task)
        return bool(observation.jobs) and observation.jobs[job.job_id].is_closed and len(ends) == 1000

    await portal.until(has_ended, every_seconds=0.5)
    assert {index: told for index, told in ends.items() if len(told) > 1} == {}
    assert {told[0].state for told in ends.values()} == {JobState.COMPLETED}
    folder = portal.instance.workspace / str(submission.job_id)
    assert sorted(map(int, (folder / "tasks").read_text().split())) == list(range(1000))
    at_once = list(accumulate(map(int, (folder / "at_once").read_text().split())))
    assert 1 <= max(at_once) <= 50
    assert (len(at_once), at_once[-1]) == (2000, 0)


async def test_five_jobs_share_four_licences(portal: Portal) -> None:
    resources = SMALL.model_copy(update={"licenses": {"vcs": 1}})
    submissions = [portal.submission(WAITS_FOR_GATE, resources=resources) for _ in range(4)]
    jobs = [await portal.hand_over(submission) for submission in submissions]
    for job in jobs:
        await portal.running(job)
    jobs.append(await portal.submit("exit 0", resources=resources))
    await portal.waits(jobs[4], "Licenses")
    vcs = {item.feature: item for item in (await portal.scheduler.cluster()).licenses}["vcs"]
    assert (vcs.total, vcs.used) == (4, 4)
    for submission in submissions:
        portal.open_gate(submission)
    ends = [await portal.end_of(job) for job in jobs]
    assert {end.state for end in ends} == {JobState.COMPLETED}
    fifth = ends[4].started_at
    assert fifth
    assert fifth >= min(end.ended_at for end in ends[:4] if end.ended_at)


async def test_a_chain_runs_in_order_and_stops_where_a_link_fails(portal: Portal) -> None:
    def after(kind: DependencyKind, other: JobRef) -> tuple[SchedulerDependency, ...]:
        return (SchedulerDependency(kind, other.scheduler_job_id),)

    first = await portal.submit("sleep 2; exit 0")
    fails = await portal.hand_over(
        replace(portal.submission("exit 1"), dependencies=after(DependencyKind.AFTEROK, first))
    )
    never = await portal.hand_over(
        replace(portal.submission("exit 0"), dependencies=after(DependencyKind.AFTEROK, fails))
    )
    mourns = await portal.hand_over(
        replace(portal.submission("exit 0"), dependencies=after(DependencyKind.AFTERNOTOK, fails))
    )
    one, two = await portal.end_of(first), await portal.end_of(fails)
    assert (await portal.end_of(mourns)).state is JobState.COMPLETED
    assert one.ended_at
    assert two.started_at
    assert one.ended_at <= two.started_at
    await portal.waits(never, "DependencyNeverSatisfied")
    seen = await portal.seen(never)
    assert seen
    assert seen.tasks == ()
    assert not seen.is_closed


async def test_a_held_job_starts_when_it_is_released(portal: Portal) -> None:
    held = await portal.hand_over(replace(portal.submission("exit 0"), is_held=True))
    await portal.waits(held, "JobHeldUser")
    for _ in range(2):
        assert await portal.scheduler.change([ChangeRequest(held, ReleaseJob())]) == [Carried()]
    assert (await portal.end_of(held)).state is JobState.COMPLETED


async def test_an_administrators_hold_is_not_undone_by_the_user(portal: Portal) -> None:
    job = await portal.hand_over(replace(portal.submission("exit 0"), is_held=True))
    hold = ChangeRequest(job, HoldJob(by_administrator=True))
    assert await portal.scheduler.change([hold, hold]) == [Carried(), Carried()]
    await portal.waits(job, "JobHeldAdmin")
    assert isinstance((await portal.scheduler.change([ChangeRequest(job, ReleaseJob())]))[0], Refused)
    release = ChangeRequest(job, ReleaseJob(by_administrator=True))
    assert await portal.scheduler.change([release]) == [Carried()]
    assert (await portal.end_of(job)).state is JobState.COMPLETED


async def test_walltime_and_nice_of_running_and_waiting_tasks_change(portal: Portal) -> None:
    job = await portal.submit("sleep 300", array=ArraySpec(expression="0-3%1"))
    await portal.running(job)
    changes = [ChangeRequest(job, SetWalltime(1800)), ChangeRequest(job, SetNice(70))]
    assert await portal.scheduler.change(changes) == [Carried(), Carried()]
    queue = portal.instance.run("squeue", "--noheader", f"--jobs={job.scheduler_job_id}", "--format=%t %l %y")
    assert sorted(queue.splitlines()) == ["PD 30:00 70", "R 30:00 0"]
    await portal.scheduler.cancel([job])
    await portal.ended(job)
    (late,) = await portal.scheduler.change([ChangeRequest(job, SetNice(1))])
    assert isinstance(late, Refused)


async def test_what_slurm_will_not_take_is_refused_in_its_own_words(portal: Portal) -> None:
    stranger = replace(portal.submission("exit 0"), project="nobodys")
    unknown = portal.submission("exit 0", qos="imaginary")
    ghost = portal.submission("exit 0", user="ghost")
    good = portal.submission("exit 0")
    outcomes = await portal.scheduler.submit([stranger, unknown, ghost, good])
    reasons = [outcome.reason if isinstance(outcome, Refused) else "" for outcome in outcomes]
    assert "Invalid account" in reasons[0]
    assert "nobodys" in reasons[0]
    assert "Invalid qos" in reasons[1]
    assert reasons[2]
    assert reasons[3] == ""


async def test_a_burst_is_accepted_in_order_and_at_once(portal: Portal) -> None:
    submissions = [portal.submission("exit 0") for _ in range(60)]
    outcomes = await portal.scheduler.submit(submissions)
    async with portal.restarted() as other:
        found = await other.scheduler.find({one.job_id: one.cluster_user for one in submissions})
    assert [found[submission.job_id] for submission in submissions] == outcomes
    accepted = [
        JobRef(submission.job_id, outcome.scheduler_job_id, submission.cluster_user)
        for submission, outcome in zip(submissions, outcomes, strict=True)
        if isinstance(outcome, Accepted)
    ]
    await asyncio.gather(*(portal.ended(job) for job in accepted))
