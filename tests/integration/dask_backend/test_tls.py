"""A Dask cluster behind TLS: it runs jobs, and nobody without a certificate of its authority gets a word."""

import asyncio
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
from tests.contract.benches import MAIN, Bench, on_dask
from tests.integration.dask_backend.authority import Authority, Certificate
from tests.integration.dask_backend.farm import Farm, connected, farm

pytestmark = pytest.mark.anyio

ANSWER_SECONDS = 60.0
AS_ROOT = pytest.mark.skipif("os.geteuid() != 0", reason="only root can keep a job from the node's own files")


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


async def ran(built: Farm, script: str) -> tuple[JobState, Path]:
    """How a job ended that the cluster ran, and its folder."""
    assert built.certificate
    store = MemoryPlacementStore()
    scheduler = await connected(built, store, nodes=1, cluster=cluster(built, built.certificate))
    job_id = uuid4()
    workspace = built.folder / "workspaces" / "uni" / "lab" / "an" / str(job_id)
    workspace.mkdir(parents=True)
    asked = ResourceRequest(memory_mib_per_node=64, walltime_seconds=600)
    spec = JobSpec(name="shell", argv=("/bin/sh", "-c", script), resources=asked)
    now = datetime.now(UTC)
    submission = Submission(job_id, spec, "an", "uni", "lab", str(workspace), now, cluster_uid=20_001)
    store.accept(submission)
    await scheduler.submit([submission])
    (task,) = (await Bench(scheduler, workspace).ended(on_dask(job_id))).tasks
    await scheduler.close()
    return task.state, workspace


async def test_jobs_run_on_a_cluster_that_asks_for_certificates(built: Farm) -> None:
    built.start_worker("n1")
    state, workspace = await ran(built, "echo done > proof")
    assert state is JobState.COMPLETED
    assert (workspace / "proof").read_text() == "done\n"


@AS_ROOT
async def test_a_job_that_sees_the_file_of_the_key_cannot_read_it(
    built: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert built.certificate
    monkeypatch.setenv("HPC_NODE_ISOLATION", "user")  # a sandbox would not even show the file
    built.start_worker("n1")
    key = built.certificate.key
    state, workspace = await ran(built, f"test -e {key} && echo yes > is_there; cat {key} > copy; exit 0")
    assert state is JobState.COMPLETED
    assert (workspace / "is_there").read_text() == "yes\n"
    assert (workspace / "copy").read_bytes() == b""


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
