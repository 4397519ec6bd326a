"""Two processes of the portal at the same instant, on both databases."""

import asyncio
import multiprocessing
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import create_engine
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import Job
from quotas.balance import balance
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.small_city import SilentWake, build_city

KEYS = 30
SPEC = JobSpec(name="twin", argv=("/bin/true",), resources=ResourceRequest(walltime_seconds=3600))
HELD = 360 + 36


def submit_all(url: str, folder: str, user_id: UUID) -> list[str]:
    """What each process does: submit the same keys, as close together as can be."""
    engine = create_engine(url)
    services = Services(
        settings=Settings(state_dir=Path(folder), database_url=url, cluster_name="memory"),
        engine=engine,
        commits=GroupCommit(engine),
        wake=SilentWake(),
        clock=SystemClock(),
    )
    with services.reading() as session:
        actor = load_actor(session, user_id)
    assert actor
    found = asyncio.run(_submit_each(services, actor))
    services.commits.close()
    engine.dispose()
    return found


async def _submit_each(services: Services, actor: Actor) -> list[str]:
    requests = [SubmitRequest(project="chips", spec=SPEC, idempotency_key=f"key-{n}") for n in range(KEYS)]
    jobs = await asyncio.gather(*(submit_job(services, actor, request) for request in requests))
    return [str(job.job_id) for job in jobs]


def test_the_same_keys_from_two_processes_give_the_same_jobs(database_url: str, tmp_path: Path) -> None:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    order = (database_url, str(tmp_path), city.chips.member.user_id)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.starmap(submit_all, [order, order], chunksize=1)
    assert first == second
    assert len(set(first)) == KEYS
    with city.services.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(Job)).scalar_one() == KEYS
        money = balance(connection, city.chips.project_id, SystemClock().now()).by_asset["VND"]
    assert money.held == KEYS * HELD
    city.services.commits.close()
    city.services.engine.dispose()
