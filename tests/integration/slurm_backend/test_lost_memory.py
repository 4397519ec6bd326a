"""slurmctld loses its state, and gives a number a second time: no job is taken for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState
from schedulers.protocol import CancelTasks, ChangeRequest, HoldJob, JobRef, Refused, RequeueJob, SetWalltime
from scripts.slurm_cluster import daemons
from tests.integration.slurm_backend.conftest import CONF, Portal

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


_STATE = "/var/lib/slurm/slurmctld"
ALL_CHANGES = (HoldJob(), SetWalltime(900), RequeueJob(), CancelTasks(ArraySpec(expression="0")))


@asynccontextmanager
async def numbers_begin_anew(portal: Portal, job: JobRef) -> AsyncIterator[None]:
    """A slurmctld without memory, whose next job gets the number of this one."""
    instance = portal.instance
    await asyncio.to_thread(daemons.stop, instance, "slurmctld")
    await hear_nothing(portal, job)
    instance.run("sh", "-c", f"rm -rf {_STATE}/* && echo FirstJobId={job.scheduler_job_id} >> {CONF}")
    await asyncio.to_thread(daemons.start, instance, "slurmctld")
    try:
        yield
    finally:
        instance.run("sed", "--in-place", "/^FirstJobId=/d", CONF)
        instance.run("scontrol", "reconfigure")


async def hear_nothing(portal: Portal, job: JobRef) -> None:
    """Look until Slurm does not answer; what was seen a moment ago is told again."""
    while True:
        try:
            await portal.seen(job)
        except SchedulerUnavailable:
            return
        await asyncio.sleep(0.1)


def submit_by_hand(portal: Portal, *, user: str) -> str:
    """A job past the portal; its number."""
    options = "--parsable", "--account=lab", "--output=/dev/null", "--mem=64", "--wrap=sleep 600"
    return portal.instance.run("sbatch", *options, user=user).strip()


async def runs(portal: Portal, number: str) -> bool:
    said = portal.instance.run("squeue", "--noheader", f"--jobs={number}", "--states=all", "--format=%T")
    return said.strip() == "RUNNING"


@pytest.mark.parametrize("user", ["alice", "bob"])
async def test_a_job_with_the_number_of_a_lost_one_is_left_alone(portal: Portal, user: str) -> None:
    job = await portal.submit("sleep 600")
    first = await portal.running(job)
    async with numbers_begin_anew(portal, job):

        async def is_submitted() -> bool:
            return submit_by_hand(portal, user=user) == job.scheduler_job_id

        await portal.until(is_submitted)

        async def is_running() -> bool:
            return await runs(portal, job.scheduler_job_id)

        await portal.until(is_running)
        # As long ago as it takes to come back to a number; else the same user's could be this one, renamed.
        assert job.dispatched_at
        lost = replace(job, dispatched_at=job.dispatched_at - timedelta(hours=1))
        await leave_alone(portal, lost)
        async with portal.restarted() as after:
            await leave_alone(after, lost)
            # slurmdbd closed what ran when slurmctld began anew, and has two jobs of this number since.
            for known_to in (portal, after):
                end = await known_to.end_of(lost)
                assert (end.state, end.started_at) == (JobState.CANCELLED, first.started_at)
            (charged,) = (await after.charged(lost, runs=1)).values()
            assert charged.started_at == first.started_at
            assert charged.ended_at
            assert await runs(portal, lost.scheduler_job_id)
            ours = await after.end_of(await after.submit("exit 3"))
            assert (ours.state, str(ours.exit_code)) == (JobState.FAILED, "3:0")


async def leave_alone(portal: Portal, lost: JobRef) -> None:
    """Whatever is asked of the lost job, the one that has its number goes on."""
    await portal.seen(lost)
    await portal.scheduler.cancel([lost])
    outcomes = await portal.scheduler.change([ChangeRequest(lost, change) for change in ALL_CHANGES])
    assert all(isinstance(outcome, Refused) for outcome in outcomes)
    assert await runs(portal, lost.scheduler_job_id)
