"""The controller as settings build it: it mirrors, finds and charges by itself."""

import asyncio

import pytest
from sqlalchemy import delete

from hpc_portal.app.controller import run_controller
from hpc_portal.app.controller_wiring import build_controllers
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import Job, Lease
from schedulers.jobspec import ResourceRequest
from tests.integration.slurm_mirror.conftest import MINUTE, Live

pytestmark = pytest.mark.anyio


async def test_jobs_by_either_way_are_charged_and_budgets_follow(live: Live) -> None:
    before = live.city.services.settings
    assert before.slurm
    more = {
        "mirror_quotas": True,
        "mirror_interval_seconds": 0.2,
        "import_external": True,
        "import_interval_seconds": 0.2,
    }
    settings = Settings(
        state_dir=before.state_dir,
        database_url=before.database_url,
        workspace_root=live.context.workspace_root,
        dask_enabled=False,
        slurm=before.slurm.model_copy(update=more),
    )
    transact(live.city.services.engine, lambda connection: connection.execute(delete(Lease)))
    (parts,) = build_controllers(settings)
    stop = asyncio.Event()
    controller = asyncio.create_task(run_controller(parts, stop))
    try:
        outside = live.sbatch("--time=5")
        own = await live.submit(
            "sleep 1", resources=ResourceRequest(memory_mib_per_node=64, walltime_seconds=10 * MINUTE)
        )

        async def what_is_held_is_out_of_reach() -> bool:
            return live.grp_tres_mins(is_direct=True)["cpu"] == "10" or is_settled(own)

        def is_settled(job_id: object) -> bool:
            return any(job.id == job_id and job.phase is Phase.SETTLED for job in live.rows(Job))

        await live.until(what_is_held_is_out_of_reach, "the limit follows the hold")

        async def both_are_settled() -> bool:
            phases = {job.scheduler_job_id: job.phase for job in live.rows(Job)}
            return phases.get(outside) is Phase.SETTLED and is_settled(own)

        await live.until(both_are_settled, "both jobs are settled")
        amounts = live.cpu()
        assert amounts.available + amounts.consumed == 20 * MINUTE
        assert sorted(job.is_external for job in live.rows(Job)) == [False, True]
        assert live.discrepancies == []
    finally:
        stop.set()
        await controller
        parts.engine.dispose()
