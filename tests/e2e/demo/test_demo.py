"""`hpc-portal demo`, as a newcomer runs it: two real jobs to the end, then the same jobs in a browser."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app import demo as city
from hpc_portal.app.db import create_engine
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import Job
from quotas.balance import balance
from quotas.money import VND
from quotas.tables import Project
from quotas.verify import verify
from schedulers.jobstate import JobState

DEMO = (str(Path(sys.executable).parent / "hpc-portal"), "demo", "--port", "0")
PATIENCE_SECONDS = 400
OPENED = re.compile(r"Open (http://127\.0\.0\.1:\d+) and sign in")


@contextmanager
def open_demo(state_dir: Path, *command: str) -> Iterator[str]:
    """A demo that stays open, by its address, once its jobs have ended; at the end, Ctrl-C."""
    process = subprocess.Popen(
        [*(command or DEMO), "--state-dir", str(state_dir), "--no-browser"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    said: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_pass_on, args=(process.stdout, said))
    reader.start()
    try:
        yield _address(said)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _pass_on(output: IO[str], said: "queue.Queue[str]") -> None:
    for line in output:
        said.put(line)


def _address(said: "queue.Queue[str]") -> str:
    heard = []
    while True:
        try:
            heard.append(said.get(timeout=PATIENCE_SECONDS))
        except queue.Empty:
            pytest.fail("the demo did not open:\n" + "".join(heard))
        if found := OPENED.search(heard[-1]):
            return found[1]


def sign_in(page: Page, url: str, username: str) -> None:
    page.goto(f"{url}/sign-in")
    page.locator("#username").fill(username)
    page.locator("#password").fill(city.PASSWORD)
    page.locator("main button").click()
    page.wait_for_url(f"{url}/")


def check_books(state_dir: Path, *, jobs: int) -> None:
    """Every job completed and is settled; charges and balances agree to the đồng."""
    engine = create_engine(Settings(state_dir=state_dir).effective_database_url)
    with engine.connect() as connection:
        found = connection.execute(
            select(col(Job.project_id), col(Job.state), col(Job.phase), col(Job.charged_vnd))
        ).all()
        assert [(job.state, job.phase) for job in found] == [(JobState.COMPLETED, Phase.SETTLED)] * jobs
        left = 0
        for project_id in connection.execute(select(col(Project.id))).scalars():
            charged = sum(job.charged_vnd for job in found if job.project_id == project_id)
            vnd = balance(connection, project_id, datetime.now(UTC)).by_asset[VND]
            assert (vnd.held, vnd.consumed) == (0, charged)
            left += vnd.available
        granted = sum(project.vnd for project in city.PROJECTS)  # a class has its students' parts of it
        assert left == granted - sum(job.charged_vnd for job in found)
        assert verify(connection) == []
    engine.dispose()


@pytest.mark.timeout(2 * PATIENCE_SECONDS + 60)
def test_the_demo_runs_two_real_jobs_to_the_end_and_shows_them_in_the_browser(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    done = subprocess.run(
        [*DEMO, "--exit", "--state-dir", str(state_dir)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=os.environ | {"LANG": "C.UTF-8"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("COMPLETED") == 2
    check_books(state_dir, jobs=2)

    with open_demo(state_dir) as url, sync_playwright() as playwright:  # on the same data: two more jobs
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        for username, job in ((city.DESIGNER, "fifo-regression"), (city.RESEARCHER, "digits-training")):
            page.context.clear_cookies()
            sign_in(page, url, username)
            page.goto(f"{url}/jobs")
            rows = page.locator("[data-job]")
            expect(rows).to_have_count(2)  # their own, and nobody else's
            expect(rows.first).to_contain_text(job)
            page.screenshot(path=tmp_path / f"jobs-{username}.png")
            rows.first.get_by_role("link").click()
            expect(page.get_by_role("heading", level=1)).to_contain_text(job)
            page.screenshot(path=tmp_path / f"{job}.png", full_page=True)
        browser.close()
        assert len(list(tmp_path.glob("*.png"))) == 4
    check_books(state_dir, jobs=4)
