"""Place and route and the checks of layouts as jobs of the embedded node: in its sandbox, with its limits."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schedulers.dask.backend import DaskScheduler
from schedulers.dask.link import EmbeddedCluster
from schedulers.dask.node import default_runtime_paths
from schedulers.dask.store import MemoryPlacementStore
from schedulers.jobstate import JobState
from tests.contract.benches import MAIN, Bench, node_config
from tests.integration.workloads.clusters import hand_in
from tests.integration.workloads.test_place_and_route_runs import COUNTER
from workloads.eda.layout_check import LayoutCheck
from workloads.eda.layout_rules import LayoutRules
from workloads.eda.place_and_route import PlaceAndRoute
from workloads.template import Results, Template, Verdict

PLACED = {"sources": {"counter.v": COUNTER}, "top": "counter", "last_step": "routing"}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_a_layout_is_made_and_checked_on_a_node(folder: Path) -> None:
    placed, checked, ruled = asyncio.run(three_jobs(folder))
    values = {metric.name: metric.value for metric in placed.metrics}
    assert {results.tasks[0].verdict for results in (placed, checked, ruled)} == {Verdict.PASS}
    assert values["design__instance__count__class:sequential_cell"] == 4
    assert values["route__unrouted_net__count"] == 0
    assert {metric.name: metric.value for metric in checked.metrics}["design__device__count"] == 6


async def three_jobs(folder: Path) -> list[Results]:
    node = replace(node_config(folder), runtime_paths=default_runtime_paths())
    scheduler = DaskScheduler("danang", EmbeddedCluster(node), MemoryPlacementStore(), partitions=[MAIN])
    await scheduler.start()
    try:
        bench = Bench(scheduler, folder / "workspaces")
        asked: list[tuple[Template[Any], dict[str, Any]]] = [
            (PlaceAndRoute(), PLACED),
            (LayoutCheck(), {}),
            (LayoutRules(), {}),
        ]
        found = []
        for template, raw in asked:
            params = template.validate(raw)
            job = await hand_in(bench, template.render(params))
            assert [run.state for run in await job.ended()] == [JobState.COMPLETED], job.output
            found.append(template.parse(job.workspace, params))
        return found
    finally:
        await scheduler.close()
