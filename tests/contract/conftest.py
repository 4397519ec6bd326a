"""Every backend that this machine can run, once per module: starting a cluster takes a second."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schedulers.cluster import Node, NodeState
from schedulers.dask.store import MemoryPlacementStore
from schedulers.memory import MemoryScheduler
from tests.contract.benches import LICENSES, MAIN, Bench, MemoryBench, embedded_scheduler


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


@pytest.fixture(scope="module", params=["memory", "dask"])
async def module_bench(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Bench]:
    workspaces = folder / "workspaces"
    if request.param == "memory":
        nodes = [Node("n1", NodeState.UP, cpus=4, memory_mib=4096, gpus={"h100": 2})]
        scheduler = MemoryScheduler(
            "danang", nodes=nodes, partitions=[replace(MAIN, nodes=("n1",))], licenses=LICENSES
        )
        yield MemoryBench(scheduler, workspaces)
        return
    dask = embedded_scheduler(folder, MemoryPlacementStore())
    await dask.start()
    yield Bench(dask, workspaces)
    await dask.close()


@pytest.fixture
async def bench(module_bench: Bench) -> AsyncIterator[Bench]:
    yield module_bench
    await module_bench.clear()
