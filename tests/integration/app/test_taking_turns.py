"""Processes that move the money of several tenants at once do not stop each other."""

import asyncio
import threading
from pathlib import Path

from sqlalchemy import text

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import create_engine
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.services import Services
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.small_city import City, SilentWake, Tenant, build_city

SPEC = JobSpec(name="one", argv=("/bin/true",), resources=ResourceRequest(walltime_seconds=60))
ROUNDS, AT_ONCE = 8, 16


def submit_for_each(city: City, url: str, tenants: tuple[Tenant, ...]) -> None:
    """What one web process does: bursts of jobs that pay from different accounts."""
    engine = create_engine(url)
    services = Services(
        settings=city.services.settings,
        engine=engine,
        commits=GroupCommit(engine),
        wake=SilentWake(),
        clock=SystemClock(),
    )

    async def bursts() -> None:
        for _ in range(ROUNDS):
            await asyncio.gather(
                *(
                    submit_job(services, tenant.member, SubmitRequest(project=tenant.account, spec=SPEC))
                    for tenant in tenants * AT_ONCE
                )
            )

    asyncio.run(bursts())
    services.commits.close()
    engine.dispose()


def test_two_processes_that_submit_for_two_tenants_never_deadlock(postgres_url: str, tmp_path: Path) -> None:
    city = build_city(postgres_url, tmp_path, clock=SystemClock())
    orders = [(city.chips, city.rivals), (city.rivals, city.chips)]
    twins = [threading.Thread(target=submit_for_each, args=(city, postgres_url, order)) for order in orders]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    with city.services.engine.connect() as connection:
        deadlocks = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert connection.execute(deadlocks).scalar() == 0
    city.services.commits.close()
    city.services.engine.dispose()
