"""Daemons die at the worst moment: nothing is lost, nothing runs twice, nothing goes uncharged."""

import asyncio
from uuid import UUID

import pytest

from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState
from schedulers.protocol import Accepted, JobRef, Submission, Uncertain
from schedulers.slurm import observe_jobs
from schedulers.slurm.translate import comment_of
from scripts.slurm_cluster import daemons
from tests.integration.slurm_backend.conftest import WAITS_FOR_GATE, Portal, configured

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

PROGRAM = "echo started >> started"


async def test_slurmrestd_killed_amid_a_burst_loses_no_job_and_doubles_none(portal: Portal) -> None:
    submissions = [portal.submission(PROGRAM) for _ in range(150)]

    async def kill_soon() -> None:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(daemons.kill, portal.instance, "slurmrestd")

    burst = asyncio.create_task(hand_over_all(portal, submissions))
    await kill_soon()
    await asyncio.to_thread(daemons.start, portal.instance, "slurmrestd")
    accepted = await burst
    assert len(accepted) == 150, (portal.instance.logs / "slurmrestd.log").read_text()[-3000:]
    for job in accepted.values():
        assert (await portal.end_of(job)).state is JobState.COMPLETED
    assert {portal.started(submission.job_id) for submission in submissions} == {1}
    assert len(set(accepted.values())) == 150


async def hand_over_all(portal: Portal, submissions: list[Submission]) -> dict[UUID, JobRef]:
    """As dispatch does: what was in doubt is looked for before it is sent again."""
    accepted: dict[UUID, JobRef] = {}
    in_doubt: set[UUID] = set()
    for _ in range(300):
        left = [submission for submission in submissions if submission.job_id not in accepted]
        if not left:
            break
        try:
            suspects = {one.job_id: one.cluster_user for one in left if one.job_id in in_doubt}
            found = await portal.scheduler.find(suspects) if suspects else {}
            for job_id, known in found.items():
                if isinstance(known, Accepted):
                    accepted[job_id] = JobRef(job_id, known.scheduler_job_id, suspects[job_id])
            left = [submission for submission in left if submission.job_id not in found]
            for submission, outcome in zip(left, await portal.scheduler.submit(left), strict=True):
                if isinstance(outcome, Accepted):
                    accepted[submission.job_id] = JobRef(
                        submission.job_id, outcome.scheduler_job_id, submission.cluster_user
                    )
                else:
                    assert isinstance(outcome, Uncertain), outcome
                    in_doubt.add(submission.job_id)
        except SchedulerUnavailable as problem:
            print(f"not now: {problem}")
        await asyncio.sleep(0.3)
    return accepted


async def test_a_controller_that_remembers_nothing_finds_what_was_submitted(portal: Portal) -> None:
    ended, runs = portal.submission(PROGRAM), portal.submission("sleep 300")
    jobs = [await portal.hand_over(submission) for submission in (ended, runs)]
    await portal.ended(jobs[0])
    never_sent = portal.submission(PROGRAM)
    async with portal.restarted() as after:
        users = {one.job_id: one.cluster_user for one in (ended, runs, never_sent)}
        there = {job.job_id: Accepted(job.scheduler_job_id) for job in jobs}
        found = dict(await after.scheduler.find(users))
        assert isinstance(found.pop(never_sent.job_id), Uncertain)  # who was active before may be sending it
        assert found == there

        async def is_not_there() -> bool:
            return await after.scheduler.find(users) == there

        await after.until(is_not_there)
        observation = await after.scheduler.observe({job.job_id: job for job in jobs})
        states = [run.state for job in jobs for run in observation.jobs[job.job_id].tasks]
        assert states == [JobState.COMPLETED, JobState.RUNNING]


async def test_jobs_that_ended_while_slurmdbd_was_down_are_charged_when_it_is_back(portal: Portal) -> None:
    before = await portal.submit("exit 0")
    await portal.ended(before)
    daemons.stop(portal.instance, "slurmdbd")
    during = await portal.submit("sleep 2; exit 7")
    end = await portal.end_of(during)
    assert (end.state, str(end.exit_code), end.usage) == (JobState.FAILED, "7:0", None)
    with pytest.raises(SchedulerUnavailable):
        await portal.scheduler.accounted([during])
    daemons.start(portal.instance, "slurmdbd")
    (charged,) = (await portal.charged(during, runs=1)).values()
    assert charged.usage
    assert (charged.started_at, charged.state, charged.exit_code) == (
        end.started_at,
        end.state,
        end.exit_code,
    )
    assert charged.usage.elapsed_seconds >= 2


async def test_another_users_job_with_our_key_is_not_taken_for_ours(portal: Portal) -> None:
    ours, unsent = portal.submission("exit 0"), portal.submission("exit 0")
    for submission in (ours, unsent):
        comment = f"--comment={comment_of(submission.job_id)}"
        options = "--account=lab", "--output=/dev/null", "--mem=64", comment
        portal.instance.run("sbatch", *options, "--wrap=exit 0", user="bob")
    job = await portal.hand_over(ours)
    users = {one.job_id: one.cluster_user for one in (ours, unsent)}
    async with portal.restarted() as other:
        found = dict(await other.scheduler.find(users))
    assert isinstance(found.pop(unsent.job_id), Uncertain)
    assert found == {ours.job_id: Accepted(job.scheduler_job_id)}
    assert (await portal.end_of(job)).state is JobState.COMPLETED
    assert (await portal.end_of(await portal.hand_over(unsent))).state is JobState.COMPLETED


async def test_a_requeued_job_does_not_end_before_its_first_run_is_known(portal: Portal) -> None:
    job = await portal.submit("test $HPC_RESTART_COUNT -ge 1 || sleep 600")
    await portal.running(job)
    daemons.stop(portal.instance, "slurmdbd")
    portal.instance.run("scontrol", "requeue", job.scheduler_job_id)

    async def is_over_for_slurmctld() -> bool:
        state = portal.instance.run(
            "squeue", "--noheader", "--states=all", f"--jobs={job.scheduler_job_id}", "--format=%T"
        )
        return state.strip() == "COMPLETED"

    await portal.until(is_over_for_slurmctld)
    seen = await portal.seen(job)
    assert seen
    assert not seen.is_closed
    assert [run.attempt for run in seen.tasks if run.has_ended] == []
    daemons.start(portal.instance, "slurmdbd")
    first, second = sorted((await portal.ended(job)).tasks, key=lambda run: run.attempt)
    assert (first.state, second.state) == (JobState.CANCELLED, JobState.COMPLETED)
    await portal.charged(job, runs=2)


async def test_a_restart_of_slurmctld_changes_nothing_for_jobs(portal: Portal) -> None:
    submission = portal.submission(f"{WAITS_FOR_GATE} exit 5")
    runs = await portal.hand_over(submission)
    other = await portal.submit("exit 0")
    await portal.running(runs)
    daemons.stop(portal.instance, "slurmctld")
    with pytest.raises(SchedulerUnavailable):
        await portal.scheduler.cluster()
    daemons.start(portal.instance, "slurmctld")
    portal.open_gate(submission)
    assert str((await portal.end_of(runs)).exit_code) == "5:0"
    assert (await portal.end_of(other)).state is JobState.COMPLETED


async def test_a_job_that_left_slurmctlds_memory_is_known_from_slurmdbd(portal: Portal) -> None:
    sent, endless = portal.submission(PROGRAM), portal.submission(f"{PROGRAM}; exec sleep 600")
    job, cancelled, failed = [
        await portal.hand_over(one) for one in (sent, endless, portal.submission("exit 9"))
    ]

    async def has_begun() -> bool:
        return portal.started(endless.job_id) == 1

    await portal.until(has_begun)
    await portal.scheduler.cancel([cancelled])
    for ended in (job, failed, cancelled):
        await portal.ended(ended)
        await portal.charged(ended, runs=1)
    await all_is_forgotten(portal)
    async with portal.restarted() as after:
        found = await after.scheduler.find({sent.job_id: sent.cluster_user})
        assert found == {sent.job_id: Accepted(job.scheduler_job_id)}
        assert await after.scheduler.submit([sent]) == [Accepted(job.scheduler_job_id)]
        ends = {ended: await after.end_of(ended) for ended in (job, failed, cancelled)}
        assert [(end.state, str(end.exit_code)) for end in ends.values()] == [
            (JobState.COMPLETED, "0:0"),
            (JobState.FAILED, "9:0"),
            (JobState.CANCELLED, "0:15"),
        ]
        assert all(end.usage for end in ends.values())
        assert portal.started(sent.job_id) == 1


async def test_tasks_that_left_slurmctlds_memory_between_two_looks_ran_once_each(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The array's number is also one task's own: whoever asks slurmdbd for it is told of all of them."""
    monkeypatch.setattr(observe_jobs, "_ACCOUNTED_AT_ONCE", 2)
    submission = portal.submission(f"{WAITS_FOR_GATE} exit 0", array=ArraySpec(expression="0-4"))
    job = await portal.hand_over(submission)

    async def all_run() -> bool:
        seen = await portal.seen(job)
        return seen is not None and [run.state for run in seen.tasks] == [JobState.RUNNING] * 5

    await portal.until(all_run)
    portal.open_gate(submission)
    await all_is_forgotten(portal)
    runs = [(run.task_index, run.attempt) for run in (await portal.ended(job)).tasks]
    assert sorted(runs) == [(index, 0) for index in range(5)]


async def all_is_forgotten(portal: Portal) -> None:
    """Wait until all jobs have ended and have left slurmctld's memory."""
    with configured(portal.instance, MinJobAge=2):

        async def is_forgotten() -> bool:
            return not portal.instance.run("squeue", "--noheader", "--states=all").strip()

        await portal.until(is_forgotten, every_seconds=1)
