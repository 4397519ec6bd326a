"""Every backend that this machine can run, once per module: starting a cluster takes a second."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schedulers.dask.store import MemoryPlacementStore
from schedulers.memory import MemoryScheduler
from schedulers.protocol import Feature
from scripts.slurm_cluster.instance import Instance
from tests.contract.benches import (
    BACKENDS,
    LICENSES,
    MAIN,
    N1,
    OVER_UNIX_SOCKET,
    Bench,
    MemoryBench,
    embedded_scheduler,
)
from tests.contract.charts import ALL, Thing, render
from tests.contract.slurm_bench import SlurmBench, slurm_scheduler
from tests.slurm import settle


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, because the path of a UNIX socket holds at most 107 characters; open to a job's own account."""
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module", params=[*BACKENDS, OVER_UNIX_SOCKET])
async def module_bench(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Bench]:
    workspaces = folder / "workspaces"
    if request.param == "memory":
        scheduler = MemoryScheduler(
            "danang",
            nodes=[N1],
            partitions=[replace(MAIN, nodes=(N1.name,))],
            licenses=LICENSES,
            features=frozenset(Feature),
        )
        yield MemoryBench(scheduler, workspaces)
        return
    if request.param.startswith("slurm-"):
        instance: Instance = request.getfixturevalue("slurm_cluster")
        settle(instance)
        slurm = slurm_scheduler(instance, folder, over_tcp=request.param == "slurm-tcp")
        await slurm.start()
        yield SlurmBench(slurm, instance.workspace / folder.name)
        await slurm.close()
        return
    dask = embedded_scheduler(folder, MemoryPlacementStore())
    await dask.start()
    yield Bench(dask, workspaces)
    await dask.close()


@pytest.fixture
async def bench(module_bench: Bench) -> AsyncIterator[Bench]:
    yield module_bench
    await module_bench.clear()


@pytest.fixture(scope="module", params=ALL)
def things(request: pytest.FixtureRequest) -> list[Thing]:
    """Everything that the chart makes of its defaults, and of each example."""
    return render(request.param)
