"""What one look at Slurm costs with 10,000 known jobs: bytes and seconds, beside slurmrestd's bare calls."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.protocol import Accepted, JobRef, Submission
from schedulers.slurm.backend import SlurmScheduler
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.tokens import MintedTokens
from scripts.slurm_cluster import config
from scripts.slurm_cluster.instance import Instance
from tests.contract.slurm_bench import ACCOUNT, USER

pytestmark = pytest.mark.benchmark

JOBS = 10_000
ROUNDS = 3
SHARES = (0, 100, 1_000)
"""How many of the jobs change between two looks."""


class Relay:
    """Passes bytes on to slurmrestd and counts those that come back."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.bytes_back = 0
        self.connections: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        self.connections.add(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer, counts=True))

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counts: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 16):
                self.bytes_back += len(data) * counts
                sink.write(data)
                await sink.drain()
        sink.close()
        with contextlib.suppress(ConnectionError):
            await sink.wait_closed()


@contextlib.asynccontextmanager
async def counted(slurm: Instance, folder: Path) -> AsyncIterator[tuple[Relay, SlurmClient]]:
    """A client whose answers pass through the relay."""
    relay = Relay(slurm.ports.slurmrestd)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    key = folder / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = SlurmClient(url, MintedTokens(key), polling_user="hpcportal")
    try:
        yield relay, client
    finally:
        await client.close()
        server.close()
        await asyncio.gather(*(task for task in relay.connections if task))


@dataclass(frozen=True)
class Cost:
    """Of one exchange with slurmrestd."""

    kilobytes: float
    seconds: float


@contextlib.contextmanager
def measured(relay: Relay, costs: list[Cost]) -> Iterator[None]:
    """Add what the block cost."""
    bytes_before, began = relay.bytes_back, time.perf_counter()
    yield
    costs.append(Cost((relay.bytes_back - bytes_before) / 1000, time.perf_counter() - began))


def waiting_job(workspace: Path) -> Submission:
    """A job that stays pending until somebody cancels it."""
    return Submission(
        job_id=uuid4(),
        spec=JobSpec(
            name="waits",
            argv=("/bin/true",),
            partition="short",
            resources=ResourceRequest(walltime_seconds=600, memory_mib_per_node=64),
            begin_at=datetime.now(UTC) + timedelta(days=1),
        ),
        cluster_user=USER,
        organisation="uni",
        project=ACCOUNT,
        workspace=str(workspace),
        submitted_at=datetime.now(UTC),
    )


async def known_jobs(scheduler: SlurmScheduler, workspace: Path) -> list[JobRef]:
    """Ten thousand jobs, submitted through the backend."""
    found: list[JobRef] = []
    while len(found) < JOBS:
        jobs = [waiting_job(workspace) for _ in range(256)]
        found += [
            JobRef(job.job_id, outcome.scheduler_job_id, USER)
            for job, outcome in zip(jobs, await scheduler.submit(jobs), strict=True)
            if isinstance(outcome, Accepted)
        ]
    return found


async def measure(slurm: Instance, folder: Path) -> dict[str, list[Cost]]:
    """Looks with ever more changes, and the bare calls: the least and the most that a look could cost."""
    figures: dict[str, list[Cost]] = {}
    async with counted(slurm, folder) as (relay, client):
        scheduler = SlurmScheduler(config.CLUSTER, client, admin_user="slurm")
        await scheduler.start()
        jobs = {job.job_id: job for job in await known_jobs(scheduler, slurm.workspace)}
        left = [job.scheduler_job_id for job in jobs.values()]
        cursor = (await scheduler.observe(jobs)).cursor
        for _ in range(ROUNDS):
            with measured(relay, figures.setdefault("bare GET /jobs/state", [])):
                await client.states()
            with measured(relay, figures.setdefault("bare GET /jobs", [])):
                await client.jobs()
            for count in SHARES:
                changed, left = left[:count], left[count:]
                if changed:
                    await client.cancel(changed, user=USER)
                    await asyncio.sleep(1)  # slurmdbd hears of it; else the next look would ask again
                with measured(relay, figures.setdefault(f"look, {count} changed", [])):
                    seen = await scheduler.observe(jobs, since=cursor)
                cursor = seen.cursor
                assert set(changed) <= seen.jobs.keys()
    return figures


def test_a_look_costs_the_light_call_and_what_changed(
    slurm: Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = asyncio.run(measure(slurm, tmp_path))
    with capsys.disabled():
        print(f"\n## One look at {JOBS} known jobs")
        for name, costs in figures.items():
            middle = sorted(costs, key=lambda cost: cost.seconds)[len(costs) // 2]
            print(f"{name:24} {middle.kilobytes:10,.0f} KB {middle.seconds * 1000:8,.0f} ms")
