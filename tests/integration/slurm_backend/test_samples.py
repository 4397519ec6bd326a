"""Jobs on a real Slurm note what they use while they run, and what notes it is never seen otherwise."""

from pathlib import Path

import pytest

from hpc_portal.app.jobs.utilisation import UsePoint, read_points
from schedulers.jobspec import RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.protocol import Submission
from tests.integration.slurm_backend.conftest import Portal

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

NEVER_AGAIN = RequeuePolicy(on_node_fail=False)
"""Slurm starts the program in the batch script's place."""
TWO_NODES = ResourceRequest(nodes=2, ntasks=2, memory_mib_per_node=64, walltime_seconds=600)
BUSY = "while :; do :; done"
SAMPLER = "pgrep -f slurm_scrip[t]"
"""Of the job that asks."""


async def points(portal: Portal, submission: Submission, suffix: str = "") -> tuple[UsePoint, ...]:
    """Of a run that goes on, once there are two."""
    workspace = Path(submission.workspace)
    found: list[UsePoint] = []

    async def has_some() -> bool:
        found[:] = read_points(workspace.parent, workspace.name, f".hpc/samples-0-0{suffix}.jsonl")
        return len(found) >= 2

    await portal.until(has_some)
    return tuple(found)


@pytest.mark.parametrize("policy", [RequeuePolicy(), NEVER_AGAIN])
async def test_what_a_job_uses_is_noted_on_each_of_its_nodes_until_it_is_cancelled(
    portal: Portal, policy: RequeuePolicy
) -> None:
    submission = portal.submission(BUSY, resources=TWO_NODES, requeue=policy)
    job = await portal.hand_over(submission)
    for suffix in ("", ".rank1"):
        use = await points(portal, submission, suffix)
        assert all(point.cpu_cores > 0 and point.memory_mib > 0 for point in use[1:]), use
    await portal.scheduler.cancel([job])
    end = await portal.end_of(job)
    assert (end.state, str(end.exit_code)) == (JobState.CANCELLED, "0:15")

    async def nothing_is_left() -> bool:
        # Its own: a sampler that another test stopped stays, and other clusters here are seen, too.
        script = f"/job{int(job.scheduler_job_id):05}/slurm_script"
        return script not in portal.instance.run("ps", "-e", "-o", "args")

    await portal.until(nothing_is_left)


async def test_a_job_ends_as_its_program_does_whatever_becomes_of_the_sampler(portal: Portal) -> None:
    ends_of = {
        f"until {SAMPLER}; do sleep 0.1; done; kill -9 $({SAMPLER}); sleep 3; exit 41": "41:0",
        f"until {SAMPLER}; do sleep 0.1; done; kill -STOP $({SAMPLER}); exit 42": "42:0",
        "mkdir -p .hpc/samples-0-0.jsonl; sleep 3; exit 43": "43:0",
        'perl -e "exit(wait == -1 ? 44 : 1)"': "44:0",
    }
    for command, code in ends_of.items():  # one after the other: each looks for its own sampler
        job = await portal.submit(command, requeue=NEVER_AGAIN)
        assert str((await portal.end_of(job)).exit_code) == code


async def test_a_signal_to_all_of_a_job_reaches_its_program_alone(portal: Portal) -> None:
    command = "trap 'exit 45' USR1; echo started >> started; while :; do sleep 0.1; done"
    submission = portal.submission(command, requeue=NEVER_AGAIN)
    job = await portal.hand_over(submission)

    async def has_begun() -> bool:
        return portal.started(submission.job_id) == 1

    await portal.until(has_begun)
    portal.instance.run("scancel", "--full", "--signal=USR1", job.scheduler_job_id)
    end = await portal.end_of(job)
    assert (end.state, str(end.exit_code)) == (JobState.FAILED, "45:0")
