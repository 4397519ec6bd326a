"""A Dask cluster behind TLS: it runs jobs, and nobody without a certificate of its authority gets a word."""

import asyncio
import os
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from hpc_portal.app.controller_wiring import _dask_cluster
from hpc_portal.app.settings import Settings
from schedulers.dask.backend import DaskScheduler
from schedulers.dask.link import ExternalCluster
from schedulers.dask.store import MemoryPlacementStore
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.protocol import Submission
from tests.contract.benches import MAIN, Bench
from tests.integration.dask_backend.authority import Authority, Certificate
from tests.integration.dask_backend.farm import Farm, connected, farm

pytestmark = pytest.mark.anyio

ANSWER_SECONDS = 60.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def built() -> Iterator[Farm]:
    with farm() as made:
        made.certificate = Authority(made.folder / "tls").issue("node")
        made.start_scheduler()
        yield made


@pytest.fixture
def foreign(built: Farm) -> Certificate:
    """Trusts the cluster, and shows it a certificate that somebody else has signed."""
    assert built.certificate
    other = Authority(built.folder / "other").issue("stranger")
    return replace(other, authority=built.certificate.authority)


def cluster(built: Farm, shown: Certificate) -> ExternalCluster:
    """What a controller makes of the settings that an operator writes."""
    settings = Settings(
        dask_scheduler=built.address,
        dask_tls_ca=shown.authority,
        dask_tls_cert=shown.certificate,
        dask_tls_key=shown.key,
    )
    made = _dask_cluster(settings)
    assert isinstance(made, ExternalCluster)
    return made


async def hears_a_word(address: str, shown: Certificate | None) -> bool:
    """Whether a Dask process greets whoever connects like this; those that trust each other greet at once."""
    assert address.startswith("tls://")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if shown:
        context.load_cert_chain(shown.certificate, shown.key)
    where = urlsplit(address)
    async with asyncio.timeout(ANSWER_SECONDS):
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)
            try:
                return await reader.read(1) != b""
            finally:
                writer.transport.abort()
        except (ssl.SSLError, ConnectionError):
            return False


def reads(built: Farm, secret: Path) -> Submission:
    job_id = uuid4()
    workspace = built.folder / "workspaces" / "uni" / "lab" / "an" / str(job_id)
    workspace.mkdir(parents=True)
    spec = JobSpec(
        name="reads",
        argv=("/bin/sh", "-c", f"cat {secret} > copy; echo done > proof"),
        resources=ResourceRequest(memory_mib_per_node=64, walltime_seconds=600),
    )
    return Submission(job_id, spec, "an", "uni", "lab", str(workspace), datetime.now(UTC), cluster_uid=20_001)


async def test_jobs_run_on_a_cluster_that_asks_for_certificates_and_cannot_read_its_key(built: Farm) -> None:
    assert built.certificate
    built.start_worker("n1")
    store = MemoryPlacementStore()
    scheduler = await connected(built, store, nodes=1, cluster=cluster(built, built.certificate))
    submission = reads(built, built.certificate.key)
    store.accept(submission)
    await scheduler.submit([submission])
    workspace = Path(submission.workspace)
    (task,) = (await Bench(scheduler, workspace).ended(str(submission.job_id))).tasks
    assert task.state is JobState.COMPLETED
    assert (workspace / "proof").read_text() == "done\n"
    if os.geteuid() == 0:  # only root can keep a job from what the node's own account may read
        assert (workspace / "copy").read_bytes() == b""
    await scheduler.close()


async def test_scheduler_and_workers_greet_nobody_without_a_certificate_of_their_authority(
    built: Farm, foreign: Certificate
) -> None:
    assert built.certificate
    built.start_worker("n1")
    own = cluster(built, built.certificate)
    scheduler = await connected(built, MemoryPlacementStore(), nodes=1, cluster=own)
    (worker,) = await scheduler._link.workers()
    for address in (built.address, worker):
        assert await hears_a_word(address, built.certificate)
        assert not await hears_a_word(address, None)
        assert not await hears_a_word(address, foreign)
    await scheduler.close()


async def test_a_controller_without_a_certificate_of_the_authority_finds_the_cluster_unavailable(
    built: Farm, foreign: Certificate
) -> None:
    in_the_clear = ExternalCluster(built.address.replace("tls://", "tcp://"))
    strangers = [
        DaskScheduler("danang", target, MemoryPlacementStore(), partitions=[MAIN])
        for target in (in_the_clear, cluster(built, foreign))
    ]
    async with asyncio.timeout(ANSWER_SECONDS):
        outcomes = await asyncio.gather(*(each.start() for each in strangers), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SchedulerUnavailable] * len(strangers), outcomes
    for each in strangers:
        await each.close()
