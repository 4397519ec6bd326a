"""Stories in the browser on a portal whose node runs real jobs: submitted, watched, stopped, run again."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from hpc_portal.app import demo
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.schema import upgrade
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.demo_jobs import sign_in
from hpc_portal.cli.demo_portal import running_portal, wait_for_cluster
from tests.e2e.web.browser import OpenPage
from tests.small_city import SilentWake

pytestmark = [pytest.mark.xdist_group("browser-stories"), pytest.mark.timeout(600)]

LEAD, ADMINISTRATOR = "vy", "ha"
"""Who leads the designer's project, and who grants it budgets."""
LONG = 120_000
"""Milliseconds that real simulations may take on a busy machine."""
TICKS = """\
#!/bin/sh
for number in $(seq 1 6000); do echo "tick $number"; sleep 0.1; done
"""
BUGGY = """\
seeds = 4
[tests.random]
plusargs = ["n=400"]
[tests.burst]
plusargs = ["n=400"]
[configurations.clean]
[configurations.level]
defines = ["BUG_LEVEL"]
"""


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A portal of its own process, with its controller and a node that runs jobs."""
    settings = Settings(
        state_dir=tmp_path_factory.mktemp("portal"),
        port=0,
        cluster_uid_base=60_000 if os.geteuid() == 0 else 0,
        node_cpus=2,
    )
    upgrade(settings)
    engine = build_engine(settings)
    commits = GroupCommit(engine)
    demo.seed_city(Services(settings, engine, commits, SilentWake(), SystemClock()))
    commits.close()
    engine.dispose()
    with running_portal(settings) as url:
        with sign_in(url, demo.DESIGNER) as client:
            wait_for_cluster(client)
        yield url


@pytest.fixture(scope="module")
def states(portal: str, browser: Browser) -> dict[str, Any]:
    found = {}
    for person in (demo.DESIGNER, LEAD, ADMINISTRATOR):
        context = browser.new_context(base_url=portal)
        form: dict[str, str | float | bool] = {"username": person, "password": demo.PASSWORD}
        context.request.post("/sign-in", form=form, max_redirects=0)
        found[person] = context.storage_state()
        context.close()
    return found


def submit(page: Page, regression: str) -> None:
    """Fill the form and go to the campaign of the job that it made."""
    page.goto("/submit/rtl-regression")
    page.locator("[name='regression']").fill(regression)
    page.locator("[name='name']").fill("story")
    page.locator("[name='max_parallel']").fill("2")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    page.get_by_role("link", name="Matrix, failures and history").click()
    expect(page).to_have_url(re.compile("/campaigns/[0-9a-f-]{36}"))


def failing_cells(page: Page) -> Any:  # noqa: ANN401 - a locator
    return page.locator(".matrix .cell.tone-bad")


def walk_by_keys(page: Page) -> None:
    """One tab stop leads into the matrix, arrow keys move in it, and Enter opens the log."""
    stops = page.locator(".matrix [data-task][tabindex='0']")
    expect(stops).to_have_count(1)
    stops.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "random/level 2: Fail")
    expect(stops).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".log")).to_be_visible()


def test_a_regression_is_watched_live_and_its_failures_run_again(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(user=demo.DESIGNER, locale="en")
    submit(page, BUGGY)
    campaign = page.url.partition("?")[0]
    page.evaluate("document.body.dataset.mark = 'never loaded again'")
    failing = open_page(user=demo.DESIGNER, locale="vi", theme="dark", width=390)
    failing.goto(f"{campaign}?only=failing")
    expect(page.locator(".matrix .cell")).to_have_count(16)
    expect(page.locator(".matrix .cell.tone-wait, .matrix .cell.tone-run")).to_have_count(0, timeout=LONG)
    expect(page.locator("[data-part='legend']")).to_contain_text("Pass")
    assert page.evaluate("document.body.dataset.mark") == "never loaded again"
    count = failing_cells(page).count()
    assert count > 0

    expect(failing_cells(failing)).to_have_count(count)  # came by itself into a table that was empty
    assert failing.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    failing.screenshot(path=tmp_path / "failing-vi-390.png", full_page=True)
    page.screenshot(path=tmp_path / "live-en-1280.png", full_page=True)

    causes = page.locator("section", has_text="Failures by cause").locator("tbody tr")
    expect(causes).to_have_count(1)
    expect(causes.locator("td").first).to_have_text(str(count))
    causes.get_by_role("link").first.click()
    expect(page.locator(".log-line.target")).to_contain_text("TB_ERROR [LEVEL]")

    page.goto(campaign)
    walk_by_keys(page)
    page.goto(campaign)
    page.get_by_text("New seeds").click()
    page.get_by_role("button", name=f"Run {count} tasks again").click()
    expect(page).to_have_url(re.compile(r"run=1$"))
    expect(page.locator(".matrix .cell")).to_have_count(count)
    expect(page.locator(".matrix .cell.tone-wait, .matrix .cell.tone-run")).to_have_count(0, timeout=LONG)
    expect(page.locator("[data-part='runs']")).to_contain_text("Failures again, new seeds · with waveforms")


def test_a_regression_is_stopped_from_its_page(open_page: OpenPage) -> None:
    page = open_page(user=demo.DESIGNER, locale="en")
    submit(page, "seeds = 600\n[tests.random]\nplusargs = ['n=4000']\n")
    expect(page.locator(".matrix .cell.tone-good, .matrix .cell.tone-bad").first).to_be_visible(timeout=LONG)
    expect(page.locator(".live")).to_contain_text("Live")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped by a person.")).to_be_visible()
    expect(page.locator("[data-part='head'] .state").first).to_contain_text("Cancelled", timeout=LONG)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.locator(".matrix .cell[aria-label$='Never ran']").first).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "submit_it", "cancel_it", "running", "cancelled"),
    [
        ("en", "Submit", "Cancel", "Running", "Cancelled"),
        ("vi", "Gửi tác vụ", "Hủy tác vụ", "Đang chạy", "Đã hủy"),
    ],
)
def test_a_job_is_submitted_watched_line_by_line_and_cancelled(  # noqa: PLR0913 - words of a language
    open_page: OpenPage,
    *,
    locale: str,
    submit_it: str,
    cancel_it: str,
    running: str,
    cancelled: str,
) -> None:
    page = open_page(user=demo.DESIGNER, locale=locale)
    page.goto("/submit/script")
    page.locator("[name='name']").fill("watched")
    page.locator("[name='script']").fill(TICKS)
    page.get_by_role("button", name=submit_it, exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    state = page.locator(".head .state")
    page.evaluate("document.body.dataset.mark = 'never loaded again'")
    expect(state).to_contain_text(running, timeout=LONG)
    reader = open_page(user=demo.DESIGNER, locale=locale, theme="dark", width=390)
    reader.goto(f"{page.url}/log")
    expect(reader.locator(".log")).to_contain_text("tick 1", timeout=LONG)
    seen = reader.locator(".log-line").count()
    expect(reader.locator(".log")).to_contain_text(f"tick {seen + 5}", timeout=LONG)
    page.get_by_role("button", name=cancel_it, exact=True).click()
    page.locator("dialog.ask button[value='yes']").click()
    expect(state).to_contain_text(cancelled, timeout=LONG)
    assert page.evaluate("document.body.dataset.mark") == "never loaded again"
    expect(page.get_by_role("button", name=cancel_it, exact=True)).to_have_count(0)


def test_a_lead_asks_for_more_and_sees_it_in_the_header_once_it_is_granted(open_page: OpenPage) -> None:
    lead = open_page(user=LEAD, locale="en")
    lead.goto("/requests/new")
    lead.locator("label", has_text="New grant").first.click()
    lead.get_by_label("Last day").fill((datetime.now(UTC) + timedelta(days=30)).date().isoformat())
    lead.get_by_label("What for").fill("Nightly regressions until the tape-out.")
    lead.locator("input[name='amount.VND']").fill("7654321")
    lead.get_by_role("button", name="Submit the request").click()
    expect(lead.locator(".head .state")).to_contain_text("Submitted")
    request = lead.url
    lead.goto("/settings")
    left = lead.locator("header .choice .pick strong")
    before = _digits(left.inner_text())

    chief = open_page(user=ADMINISTRATOR, locale="vi")
    chief.goto(request)
    chief.get_by_role("button", name="Duyệt toàn bộ").click()
    expect(chief.locator(".head .state")).to_contain_text("Đã duyệt")

    expect(left).to_have_text(f"{before + 7_654_321:,}\N{NO-BREAK SPACE}₫")
    expect(lead).to_have_url(re.compile("/settings$"))


def _digits(text: str) -> int:
    return int(re.sub(r"\D", "", text))
