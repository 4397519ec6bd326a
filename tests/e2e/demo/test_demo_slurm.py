"""`make demo SLURM=1`, as a newcomer runs it: the same city in front of a real Slurm cluster and of Dask."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app import demo as city
from hpc_portal.app.db import create_engine
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import Job, JobTask
from scripts.slurm_cluster.instance import Instance, find_instance, running_instance
from scripts.slurm_cluster.namespaces import remove_leftovers, take_down
from tests.e2e.demo.test_demo import PATIENCE_SECONDS, check_books, open_demo, sign_in

DEMO = (sys.executable, "-m", "scripts.demo_on_slurm")
JOBS = (("fifo-smoke", "dask"), ("fifo-regression", "slurm"))
"""The designer's, newest first, and where they ran."""
NODES = {"slurm": ("gpu01", "eda02"), "dask": ("local",)}
"""Some of each cluster's."""

pytestmark = pytest.mark.xdist_group("slurm")


@pytest.fixture
def cluster_name() -> Iterator[str]:
    """Of a cluster that the demo starts itself; it ends with the test."""
    name = f"test-{uuid4().hex[:8]}"
    yield name
    if instance := find_instance(name):
        take_down(instance)
    remove_leftovers(name)


@contextmanager
def signed_in_page(url: str, username: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        sign_in(page, url, username)
        yield page
        browser.close()


@pytest.mark.timeout(PATIENCE_SECONDS + 120)
def test_one_list_and_one_ledger_over_slurm_and_dask(cluster_name: str, tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    with open_demo(state_dir, *DEMO, f"--name={cluster_name}", "--port=0") as url:
        with signed_in_page(url, city.DESIGNER) as page:
            page.goto(f"{url}/jobs")
            rows = page.locator("[data-job]")
            expect(rows).to_have_count(len(JOBS))
            for row, (job, cluster) in zip(rows.all(), JOBS, strict=True):
                expect(row).to_contain_text(job)
                expect(row).to_contain_text(f"songhan-fifo · {cluster}")
            page.screenshot(path=tmp_path / "jobs.png")
            page.goto(f"{url}/clusters")
            page.screenshot(path=tmp_path / "clusters.png", full_page=True)
            for cluster, nodes in NODES.items():
                page.goto(f"{url}/clusters/{cluster}")
                for node in nodes:
                    expect(page.get_by_text(node, exact=True).first).to_be_visible()
        require_accounted(running_instance(cluster_name))
    check_books(state_dir, jobs=3)
    require_metered(state_dir)
    assert find_instance(cluster_name), "the portal's end is not the cluster's"


def require_metered(state_dir: Path) -> None:
    """It is known what each run on Slurm really used."""
    engine = create_engine(Settings(state_dir=state_dir).effective_database_url)
    with engine.connect() as connection:
        runs = connection.execute(
            select(col(Job.name), col(JobTask.max_rss_mib), col(JobTask.cpu_seconds))
            .join_from(JobTask, Job, col(Job.id) == col(JobTask.job_id))
            .where(col(Job.scheduler) == "slurm")
        ).all()
    engine.dispose()
    assert len(runs) == 13
    assert all(run.max_rss_mib and run.cpu_seconds for run in runs), runs


def require_accounted(slurm: Instance) -> None:
    """The jobs ran there, as the people's own users, and their projects' accounts paid."""
    runs = slurm.run(
        "sacct", "--noheader", "--parsable2", "--allocations", "--allusers", "--format=User,Account,State"
    ).split()
    assert runs.count("demo_tuan|dut-ai|COMPLETED") == 1
    assert runs.count("demo_binh|songhan-fifo|COMPLETED") == 12
