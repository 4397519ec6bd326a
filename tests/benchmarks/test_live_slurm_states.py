"""How long after slurmctld has ended a job its page says so in a browser that nobody touches."""

import re
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import sync_playwright
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.tables import JobEvent
from scripts.slurm_cluster.instance import Instance
from tests.benchmarks.test_live_states import JOBS, WATCH
from tests.e2e.slurm.conftest import Portal, running_portal

pytestmark = pytest.mark.benchmark

SECONDS = (2.0, 2.3, 2.6, 2.9, 3.2, 3.5, 3.8, 4.1, 4.4, 4.7)
"""How long the jobs run: slurmctld ends them at any time between two looks of the portal."""
LOGGED = re.compile(r"_job_complete: JobId=(\d+) done\n")
LOOK_SECONDS = 0.002


@contextmanager
def noted_ends(slurm: Instance) -> Iterator[Mapping[str, float]]:
    """When slurmctld said that it has ended a job, by the job's number: its log has no clock of its own."""
    ends: dict[str, float] = {}
    stop = threading.Event()

    def read() -> None:
        said = ""
        with (slurm.logs / "slurmctld.log").open() as log:
            while not stop.wait(LOOK_SECONDS):
                said = said.rpartition("\n")[2] + log.read()
                ends.update(dict.fromkeys(LOGGED.findall(said), time.time()))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield ends
    finally:
        stop.set()
        reader.join()


def looked_at(portal: Portal, job_id: str) -> float:
    """When the look at Slurm began that saw the end."""
    events = select(col(JobEvent.at), col(JobEvent.facts)).where(col(JobEvent.job_id) == UUID(job_id))
    with portal.city.services.engine.connect() as connection:
        found = [row.at for row in connection.execute(events) if row.facts.get("state") == "COMPLETED"]
    return float(found[0].timestamp())


def figures(waits: Sequence[float]) -> str:
    waits = sorted(waits)
    most = waits[int(len(waits) * 0.9) - 1]
    return f"p50 {statistics.median(waits):.0f} ms   p90 {most:.0f} ms   max {waits[-1]:.0f} ms"


def test_from_the_end_of_a_slurm_job_to_the_page(
    slurm: Instance, folder: Path, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    to_look, to_page = [], []
    with (
        running_portal(slurm, folder, postgres_url) as portal,
        noted_ends(slurm) as ends,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        headers = {"Authorization": f"Bearer {portal.client.token}"}
        page = browser.new_context(base_url=portal.client.url, extra_http_headers=headers).new_page()
        for seconds in SECONDS[:JOBS]:
            job_id = portal.submit(
                f"ends-after-{seconds}",
                argv=["/bin/sleep", str(seconds)],
                partition="short",
                resources={"walltime_seconds": 60, "memory_mib_per_node": 64},
            )
            page.goto(f"/jobs/{job_id}")
            page.locator(".live[data-is=live]").wait_for()
            shown = page.evaluate(WATCH)
            ended = ends[portal.get(f"/jobs/{job_id}")["scheduler_job_id"]]
            to_look.append((looked_at(portal, job_id) - ended) * 1000)
            to_page.append((shown - ended) * 1000)
        browser.close()
    with capsys.disabled():
        print(f"\n## From slurmctld's end of a job, {JOBS} jobs")
        print(f"to the look that sees it   {figures(to_look)}")
        print(f"to its page                {figures(to_page)}")
