"""How fast accepted jobs reach Slurm through the portal, beside a bare httpx loop on the same slurmrestd."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobspec import JobSpec
from schedulers.slurm.tokens import MintedTokens
from schedulers.slurm.translate import job_request
from scripts.slurm_cluster.instance import Instance
from tests.benchmarks.test_slurm_tracking import waiting_job
from tests.contract.slurm_bench import USER
from tests.e2e.slurm.conftest import Portal, running_portal
from tests.portal_processes import wait_until
from tests.slurm import cancel_all_jobs

pytestmark = pytest.mark.benchmark

JOBS = 2_000
ROUNDS = 5


def bare_submissions_per_second(slurm: Instance, folder: Path) -> float:
    """The same jobs, one after the other, by the plainest client that can do it."""
    key = folder / "bare.key"
    key.write_bytes(slurm.jwt_key())
    key.chmod(0o600)
    headers = MintedTokens(key, lifetime_seconds=3600).headers(USER)
    body = {"job": job_request(waiting_job(slurm.workspace))}
    with httpx.Client(base_url=slurm.rest_url, headers=headers, timeout=60) as client:
        began = time.perf_counter()
        for _ in range(JOBS):
            answer = client.post("/slurm/v0.0.42/job/submit", json=body)
            assert answer.is_success, answer.text
            assert answer.json()["job_id"], answer.text
        return JOBS / (time.perf_counter() - began)


def dispatches_per_second(portal: Portal) -> float:
    """Jobs wait in the database; the time runs from the first that Slurm has to the last."""
    portal.processes.kill("controller")
    before = counted(portal)
    asyncio.run(submit_all(portal))
    portal.processes.start("controller")
    wait_until(lambda: counted(portal) > before, what="the first dispatched job")
    first, began = counted(portal), time.perf_counter()
    wait_until(lambda: counted(portal) == before + JOBS, what="all dispatched jobs", seconds=300)
    return (before + JOBS - first) / (time.perf_counter() - began)


def counted(portal: Portal) -> int:
    """Jobs that Slurm took, those that ended since among them."""
    taken = select(func.count()).select_from(Job).where(col(Job.scheduler_job_id).is_not(None))
    with portal.city.services.engine.connect() as connection:
        return connection.execute(taken).scalar_one()


def cancel_all(slurm: Instance, portal: Portal) -> None:
    """Neither side is measured while the portal still settles the jobs of the round before."""
    unsettled = select(func.count()).select_from(Job).where(col(Job.phase) != Phase.SETTLED)

    def all_settled() -> bool:
        with portal.city.services.engine.connect() as connection:
            return connection.execute(unsettled).scalar_one() == 0

    cancel_all_jobs(slurm)
    wait_until(all_settled, what="the cancelled jobs to be settled", seconds=300)


async def submit_all(portal: Portal) -> None:
    """Two thousand jobs that wait for tomorrow."""
    spec: JobSpec = waiting_job(Path("/")).spec.model_copy(
        update={"begin_at": datetime.now(UTC) + timedelta(days=1)}
    )
    body = {"project": "chips", "spec": spec.model_dump(mode="json", exclude_defaults=True)}
    headers = {"Authorization": f"Bearer {portal.client.token}"}
    async with httpx.AsyncClient(base_url=portal.client.url, headers=headers, timeout=60) as client:
        left = iter(range(JOBS))

        async def submit() -> None:
            for _ in left:
                (await client.post("/api/v1/jobs", json=body)).raise_for_status()

        await asyncio.gather(*(submit() for _ in range(8)))


def test_dispatch_against_a_bare_loop(
    slurm: Instance, folder: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare, ours = [], []
    with running_portal(slurm, folder, postgres_url) as portal:
        for _ in range(ROUNDS):
            bare.append(bare_submissions_per_second(slurm, folder))
            ours.append(dispatches_per_second(portal))
            cancel_all(slurm, portal)
    with capsys.disabled():
        print(f"\n## {JOBS} single jobs handed to Slurm")
        for name, rates in (("bare httpx loop", bare), ("portal's dispatch", ours)):
            print(f"{name:20} {sorted(rates)[ROUNDS // 2]:6.0f} /s   ({min(rates):.0f} - {max(rates):.0f})")
        ratios = sorted(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
        print(f"portal / bare loop: {ratios[ROUNDS // 2]:.2f}   (of each round: {_shown(ratios)})")


def _shown(ratios: list[float]) -> str:
    return " ".join(f"{ratio:.2f}" for ratio in ratios)
