"""How long after a real job has ended its page says so in a browser that nobody touches."""

import statistics
from uuid import UUID

import pytest
from playwright.sync_api import sync_playwright
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.tables import JobTask
from tests.benchmarks.portal import BenchPortal, running_portal

pytestmark = pytest.mark.benchmark

JOBS = 10
SLEEPER = {"name": "sleep", "argv": ["/bin/sleep", "3"], "resources": {"walltime_seconds": 60}}
WATCH = """() => new Promise((shown) => {
  const look = () => { if (document.querySelector('.head .tone-good')) shown(Date.now() / 1000) }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true })
  look()
})"""


def ended_at(portal: BenchPortal, job_id: str) -> float:
    """By the clock of the node, which is this machine."""
    with portal.city.services.engine.connect() as connection:
        statement = select(col(JobTask.ended_at)).where(col(JobTask.job_id) == UUID(job_id))
        ended = connection.execute(statement).scalar_one()
    assert ended
    return ended.timestamp()


def test_from_the_end_of_a_job_to_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    waits = []
    with running_portal() as portal, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        headers = {"Authorization": f"Bearer {portal.token}"}
        page = browser.new_context(base_url=portal.url, extra_http_headers=headers).new_page()
        for _ in range(JOBS):
            job_id = portal.submit(SLEEPER)
            page.goto(f"/jobs/{job_id}")
            page.locator(".live[data-is=live]").wait_for()
            shown = page.evaluate(WATCH)
            waits.append((shown - ended_at(portal, job_id)) * 1000)
        browser.close()
    waits.sort()
    with capsys.disabled():
        print(f"\n## From the end of a job's process to its page, {JOBS} jobs")
        most = waits[int(JOBS * 0.9) - 1]
        print(f"p50 {statistics.median(waits):.0f} ms   p90 {most:.0f} ms   max {waits[-1]:.0f} ms")
