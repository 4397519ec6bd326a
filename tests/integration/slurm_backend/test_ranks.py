"""A job that starts on every node ends as the rank that failed first, not as those that srun ended then."""

from typing import Any

import pytest

from schedulers.jobspec import RequeuePolicy, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.protocol import JobRef
from tests.integration.slurm_backend.conftest import Portal

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

TWO_NODES = ResourceRequest(nodes=2, ntasks=2, memory_mib_per_node=64, walltime_seconds=600)
RANK_0, RANK_1 = (f"test $HPC_NODE_RANK = {rank} || exec sleep 600; " for rank in (0, 1))
"""Only this rank does what follows; the other would run for long."""
NO_NOTE = 'mkdir -p "$HPC_SUBMIT_DIR/.first-end-$SLURM_JOB_ID-$HPC_RESTART_COUNT"; '
NEVER_AGAIN = RequeuePolicy(on_node_fail=False)


async def test_a_job_on_several_nodes_ends_as_the_rank_that_failed_first(portal: Portal) -> None:
    ends_of = {
        f"{RANK_1} exit 7": (JobState.FAILED, "7:0"),
        f"{RANK_0} kill -s SEGV $$": (JobState.FAILED, "0:11"),
        f"{NO_NOTE} {RANK_1} exit 7": (JobState.FAILED, "0:15"),
        "exit 0": (JobState.COMPLETED, "0:0"),
    }
    asked = [(text, policy) for text in ends_of for policy in (RequeuePolicy(), NEVER_AGAIN)]
    jobs = [await portal.submit(text, resources=TWO_NODES, requeue=policy) for text, policy in asked]
    ends = [await portal.end_of(job) for job in jobs]
    assert [(end.state, str(end.exit_code)) for end in ends] == [ends_of[text] for text, _ in asked]
    await portal.charged(jobs[0], runs=1)


async def begun(portal: Portal, command: str, **facts: Any) -> JobRef:  # noqa: ANN401 - fields of JobSpec
    """A job on two nodes, once both ranks did `echo started >> started`."""
    submission = portal.submission(command, resources=TWO_NODES, **facts)
    job = await portal.hand_over(submission)

    async def has_begun() -> bool:
        return portal.started(submission.job_id) == TWO_NODES.nodes

    await portal.until(has_begun)
    return job


async def test_a_cancelled_job_on_several_nodes_is_cancelled(portal: Portal) -> None:
    job = await begun(portal, "echo started >> started; exec sleep 600")
    await portal.scheduler.cancel([job])
    end = await portal.end_of(job)
    assert (end.state, str(end.exit_code)) == (JobState.CANCELLED, "0:15")
