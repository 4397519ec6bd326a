"""What a real slurmdbd says otherwise after a job was charged is charged as the difference, once."""

import pytest

from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from quotas.tables import AccountingRecord
from schedulers.jobspec import ResourceRequest
from scripts.slurm_cluster import config
from tests.integration.slurm_mirror.conftest import MINUTE, Live

pytestmark = pytest.mark.anyio

LATER_SECONDS = 100


async def test_an_end_that_slurmdbd_corrects_is_charged_as_the_difference(live: Live) -> None:
    await live.submit(
        "sleep 1", resources=ResourceRequest(memory_mib_per_node=64, walltime_seconds=5 * MINUTE)
    )

    async def is_settled() -> bool:
        await live.step()
        return [job.phase for job in live.rows(Job)] == [Phase.SETTLED]

    await live.until(is_settled, "the job is settled")
    (job,) = live.rows(Job)
    before = live.cpu()
    await compare(live)
    assert live.cpu() == before
    end_later(live, job.scheduler_job_id)
    for _ in range(2):
        await compare(live)
        after = live.cpu()
        assert (after.consumed, after.held) == (before.consumed + LATER_SECONDS, 0)
        assert after.available + after.consumed == 20 * MINUTE
        assert [record.revision for record in live.rows(AccountingRecord)] == [0, 1]
    assert live.discrepancies == []


def end_later(live: Live, number: str) -> None:
    """As whoever mends a record by hand: slurmdbd itself sets an end only for a job that has none."""
    where = f"UPDATE {config.CLUSTER}_job_table SET time_end = time_end + {LATER_SECONDS} WHERE id_job = "  # noqa: S608
    live.slurm.run("mariadb", "slurm_acct_db", "--execute", f"{where}{int(number)}")


async def compare(live: Live) -> None:
    """One pass of a controller that remembers nothing."""
    step = CorrectStep(live.context)
    while await step():
        pass
