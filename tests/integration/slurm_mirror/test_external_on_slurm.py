"""Jobs that reach a real Slurm by sbatch are found in slurmdbd, shown and charged to the second."""

from uuid import uuid4

import pytest

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, UnclaimedRun
from quotas.tables import AccountingRecord
from schedulers.jobstate import JobState
from scripts.slurm_cluster import daemons
from tests.integration.slurm_mirror.conftest import MINUTE, Live

pytestmark = pytest.mark.anyio


def elapsed(live: Live, number: str) -> list[int]:
    """Seconds of each task, in Slurm's own words; a run that held resources counts for one at least."""
    listed = live.slurm.run(
        *("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={number}", "--format=elapsedraw")
    )
    return [max(int(line), 1) for line in listed.split()]


async def settled(live: Live, number: str) -> None:
    await live.until_ended(number)

    async def is_settled() -> bool:
        await live.finder()
        return [job.phase for job in live.rows(Job) if job.scheduler_job_id == number] == [Phase.SETTLED]

    await live.until(is_settled, f"{number} is settled")


async def test_a_job_by_sbatch_is_shown_while_it_runs_and_charged_what_slurm_counted(live: Live) -> None:
    number = live.sbatch("--time=5", "--job-name=corner/ss", "--cpus-per-task=2", command="sleep 3; exit 3")
    await live.until_running(number)

    async def is_shown() -> bool:
        await live.finder()
        return [job.state for job in live.rows(Job)] == [JobState.RUNNING]

    await live.until(is_shown, "the running job is shown")
    await settled(live, number)
    job = live.job(number)
    assert (job.state, job.exit_code, job.name, job.is_external) == (JobState.FAILED, 3, "corner_ss", True)
    assert job.user_id == live.city.chips.member.user_id
    assert live.cpu().consumed == 2 * sum(elapsed(live, number)) > 0
    assert live.discrepancies == []


async def test_an_array_a_cancelled_and_a_forged_job_are_charged_once_each(live: Live) -> None:
    array = live.sbatch("--time=2", "--array=0-2%2")
    cancelled = live.sbatch("--time=2", command="sleep 600")
    forged = live.sbatch("--time=2", f"--comment=hpc-portal:{uuid4()}")
    await live.until_running(cancelled)
    live.slurm.run("scancel", cancelled)
    for number in (array, cancelled, forged):
        await settled(live, number)
    live.restart()
    await live.finder()
    assert (live.job(array).tasks_completed, live.job(array).tasks_total) == (3, 3)
    assert live.job(cancelled).state is JobState.CANCELLED
    assert len(live.rows(Job)) == 3
    total = sum(sum(elapsed(live, number)) for number in (array, cancelled, forged))
    assert live.cpu().consumed == total
    assert len(live.rows(AccountingRecord)) == 5
    assert live.discrepancies == []


async def test_a_direct_job_that_was_charged_leaves_what_others_may_use_as_it_was(live: Live) -> None:
    before = live.grp_tres_mins(is_direct=True)
    await settled(live, live.sbatch("--time=2"))
    await live.mirror()
    assert live.grp_tres_mins(is_direct=True) == before
    assert live.cpu().available == 20 * MINUTE - live.cpu().consumed


async def test_jobs_that_end_while_slurmdbd_is_away_are_charged_when_it_is_back(live: Live) -> None:
    number = live.sbatch("--time=2")
    await live.until_running(number)
    daemons.stop(live.slurm, "slurmdbd")
    await live.finder()
    await live.mirror()
    daemons.start(live.slurm, "slurmdbd")
    await settled(live, number)
    assert live.cpu().consumed == sum(elapsed(live, number))
    assert live.discrepancies == []


async def test_jobs_of_accounts_that_the_portal_does_not_know_are_kept_for_an_administrator(
    live: Live,
) -> None:
    number = live.slurm.run(
        *("sbatch", "--parsable", "--account=lab", "--output=/dev/null", "--mem=64", "--wrap=true"),
        user="bob",
        cwd=live.folder,
    ).strip()
    await live.until_ended(number)

    async def is_kept() -> bool:
        await live.finder()
        return number in [run.scheduler_job_id for run in live.rows(UnclaimedRun)]

    await live.until(is_kept, "the run is kept")
    (kept,) = [run for run in live.rows(UnclaimedRun) if run.scheduler_job_id == number]
    assert (kept.account, kept.cluster_user) == ("lab", "bob")
    assert live.rows(Job) == []
