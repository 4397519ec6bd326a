"""Place and route and the checks of layouts as jobs of the embedded node: in its sandbox, with its limits."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedulers.dask.store import MemoryPlacementStore
from schedulers.jobstate import JobState
from tests.contract.benches import Bench, embedded_scheduler
from tests.integration.workloads.clusters import hand_in
from tests.integration.workloads.test_place_and_route_runs import COUNTER
from workloads.eda.layout_check import LayoutCheck
from workloads.eda.place_and_route import PlaceAndRoute
from workloads.template import Results, Verdict

PLACED = {"sources": {"counter.v": COUNTER}, "top": "counter"}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hpc-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_a_layout_is_made_and_checked_on_a_node(folder: Path) -> None:
    placed, checked = asyncio.run(both_jobs(folder))
    values = {metric.name: metric.value for metric in placed.metrics}
    assert [results.tasks[0].verdict for results in (placed, checked)] == [Verdict.PASS, Verdict.PASS]
    assert values["design__instance__count__class:sequential_cell"] == 4
    assert values["design__lvs_error__count"] == values["magic__drc_error__count"] == 0
    assert {metric.name: metric.value for metric in checked.metrics}["design__device__count"] == 6


async def both_jobs(folder: Path) -> tuple[Results, Results]:
    scheduler = embedded_scheduler(folder, MemoryPlacementStore())
    await scheduler.start()
    try:
        bench = Bench(scheduler, folder / "workspaces")
        placer, checker = PlaceAndRoute(), LayoutCheck()
        place, check = placer.validate(PLACED), checker.validate({})
        jobs = [await hand_in(bench, spec) for spec in (placer.render(place), checker.render(check))]
        for job in jobs:
            assert [run.state for run in await job.ended()] == [JobState.COMPLETED], job.output
        return placer.parse(jobs[0].workspace, place), checker.parse(jobs[1].workspace, check)
    finally:
        await scheduler.close()
