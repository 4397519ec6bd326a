"""A real Slurm keeps people within the portal's budgets, also when they come past it."""

import pytest
from sqlalchemy import delete
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.mirror.wanted import read_wanted
from hpc_portal.app.tables import Job, MirrorDrift, ProjectMember
from schedulers.jobspec import ResourceRequest
from schedulers.jobstate import JobState
from schedulers.mirror import diff
from tests.integration.slurm_mirror.conftest import MINUTE, Live

pytestmark = pytest.mark.anyio


async def test_an_overspend_by_sbatch_is_stopped_by_slurm_with_the_limits_reason(live: Live) -> None:
    assert live.grp_tres_mins(is_direct=True)["cpu"] == "20"
    assert "QOSGrpCPUMinutesLimit" in live.refusal("--time=21")
    first = live.sbatch("--time=15", command="sleep 600")
    await live.until_running(first)
    second = live.sbatch("--time=6")

    async def is_stopped() -> bool:
        return live.squeue(second) == "PENDING QOSGrpCPUMinutesLimit"

    await live.until(is_stopped, "the second job is stopped by the budget")
    small = live.sbatch("--time=5")
    await live.until_ended(small)
    assert [live.squeue(number) for number in (first, second)] == [
        "RUNNING None",
        "PENDING QOSGrpCPUMinutesLimit",
    ]
    live.slurm.run("scancel", first, second)


async def test_a_resource_without_a_line_cannot_be_used_at_all(live: Live) -> None:
    assert live.grp_tres_mins(is_direct=True)["gres/gpu"] == "0"
    assert "Minutes" in live.refusal("--time=1", "--gres=gpu:1", "--partition=gpu")
    assert "Minutes" in live.refusal("--time=1", "--gres=gpu:h100:1", "--partition=gpu")


async def test_what_the_portal_holds_is_safe_from_sbatch_and_runs(live: Live) -> None:
    job_id = await live.submit(
        "until test -e gate; do sleep 0.2; done",
        resources=ResourceRequest(memory_mib_per_node=64, walltime_seconds=15 * MINUTE),
    )
    await live.mirror()
    assert live.grp_tres_mins(is_direct=True)["cpu"] == "5"
    assert live.grp_tres_mins(is_direct=False)["cpu"] == "20"
    assert "QOSGrpCPUMinutesLimit" in live.refusal("--time=6")
    beside = live.sbatch("--time=5")
    await live.step()
    (own,) = [job for job in live.rows(Job) if job.id == job_id]
    assert own.phase is Phase.TRACKED
    qos = live.squeue(own.scheduler_job_id, "%q")
    assert (qos.startswith(f"{live.account}_"), qos.endswith("_direct")) == (True, False)
    (live.context.workspace_root / own.workspace / "gate").touch()

    async def both_are_settled() -> bool:
        await live.step()
        await live.finder()
        return [job.phase for job in live.rows(Job)] == [Phase.SETTLED] * 2

    await live.until(both_are_settled, "both jobs are settled")
    outside = live.job(beside)
    assert outside.is_external
    assert all(job.state is JobState.COMPLETED for job in live.rows(Job))
    amounts = live.cpu()
    assert amounts.held == 0
    assert amounts.available + amounts.consumed == 20 * MINUTE
    assert live.discrepancies == []


async def test_a_second_pass_finds_nothing_to_change_in_slurm(live: Live) -> None:
    seen = await live.slurm_mirror.seen()
    now = live.context.clock.now()
    wanted = transact(
        live.city.services.engine,
        lambda connection: read_wanted(connection, live.context.scheduler.name, known=seen.tres, at=now),
    )
    assert live.account in seen.accounts
    assert diff(wanted, seen) == []


async def test_who_left_is_blocked_while_their_job_runs_to_its_end(live: Live) -> None:
    number = live.sbatch("--time=5", command="sleep 3")
    await live.until_running(number)
    member = live.city.chips.member.user_id
    transact(
        live.city.services.engine,
        lambda connection: connection.execute(
            delete(ProjectMember).where(col(ProjectMember.user_id) == member)
        ),
    )
    await live.mirror()
    assert "AssocMaxSubmitJobLimit" in live.refusal("--time=1")
    assert live.squeue(number).startswith("RUNNING")
    await live.until_ended(number)
    state = live.slurm.run("sacct", "--noheader", "--allocations", f"--jobs={number}", "--format=state")
    assert state.split() == ["COMPLETED"]
    listed = live.sacctmgr(
        "show", "assoc", f"account={live.account}", "user=alice", "format=maxjobs,maxsubmit"
    )
    assert listed.split() == ["0|0"]


async def test_what_somebody_raises_with_sacctmgr_is_put_right_and_told(live: Live) -> None:
    (budget,) = [
        budget
        for budget in (await live.slurm_mirror.seen()).budgets.values()
        if budget.name.startswith(f"{live.account}_") and budget.name.endswith("_direct")
    ]
    live.sacctmgr("modify", "qos", budget.name, "set", "GrpTRESMins=cpu=999999", "Flags-=DenyOnLimit")
    live.mirror._looked_at = None  # a minute went by
    await live.mirror()
    assert (await live.slurm_mirror.seen()).budgets[budget.name] == budget
    told = {(row.subject, row.field): row for row in live.rows(MirrorDrift)}
    assert told[f"qos {budget.name}", "tres_minutes cpu"].found == "999999"
    assert told[f"qos {budget.name}", "flags"].wanted == "DenyOnLimit,NoDecay"
    assert all(row.corrected_at for row in told.values())


async def test_an_account_of_the_site_is_never_touched(live: Live) -> None:
    before = await live.slurm_mirror.seen()
    await live.mirror()
    after = await live.slurm_mirror.seen()
    for name in ("chips", "lab", "root"):
        assert after.accounts[name] == before.accounts[name]
    assert {key: one for key, one in after.members.items() if key[0] in ("chips", "lab", "root")} == {
        key: one for key, one in before.members.items() if key[0] in ("chips", "lab", "root")
    }
