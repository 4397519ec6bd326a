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
from tests.e2e.web.readers import AT_DESK, BOTH, ON_PHONE, Reader
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
LEFT = "[data-part=left]"
TRIALS = 2
UNTIL_LONGER = """known => new Promise(longer => {
    const look = () => {
        const count = JSON.parse(document.querySelector('.curve').dataset.series)[0].points.length
        count > known ? longer(count) : setTimeout(look, 100)
    }
    look()
})"""
"""Points of the curve that is drawn, once they are more than so many."""


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
    for person in (demo.DESIGNER, demo.RESEARCHER, LEAD, ADMINISTRATOR):
        context = browser.new_context(base_url=portal)
        form: dict[str, str | float | bool] = {"username": person, "password": demo.PASSWORD}
        context.request.post("/sign-in", form=form, max_redirects=0)
        found[person] = context.storage_state()
        context.close()
    return found


def submit(page: Page, reader: Reader, regression: str) -> None:
    """Fill the form and go to the campaign of the job that it made."""
    page.goto("/submit/rtl-regression")
    page.locator("[name='regression']").fill(regression)
    page.locator("[name='name']").fill("story")
    page.locator("[name='max_parallel']").fill("2")
    page.get_by_role("button", name=reader.says("Submit"), exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    page.get_by_role("link", name=reader.says("Matrix, failures and history")).click()
    expect(page).to_have_url(re.compile("/campaigns/[0-9a-f-]{36}"))


def failing_cells(page: Page) -> Any:  # noqa: ANN401 - a locator
    return page.locator(".cells .f")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def walk_by_keys(page: Page, reader: Reader) -> None:
    """One tab stop leads into the matrix, arrow keys move in it, and Enter opens the log."""
    stops = page.locator(".cells a[tabindex='0']")
    expect(stops).to_have_count(1)
    stops.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"random/level 2: {reader.says('Fail')}")
    expect(stops).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".log")).to_be_visible()


@pytest.mark.parametrize(("reader", "other"), [(AT_DESK, ON_PHONE), (ON_PHONE, AT_DESK)], ids=str)
def test_a_regression_is_watched_live_and_its_failures_run_again(
    open_page: OpenPage, tmp_path: Path, reader: Reader, other: Reader
) -> None:
    page = reader.opens(open_page, demo.DESIGNER)
    submit(page, reader, BUGGY)
    campaign = page.url.partition("?")[0]
    page.evaluate("document.body.dataset.mark = 'never loaded again'")
    failing = other.opens(open_page, demo.DESIGNER)
    failing.goto(f"{campaign}?only=failing")
    expect(page.locator(".cells td > a")).to_have_count(16)
    expect(page.locator(".cells .w, .cells .r")).to_have_count(0, timeout=LONG)
    expect(page.locator("[data-part='legend']")).to_contain_text(reader.says("Pass"))
    assert page.evaluate("document.body.dataset.mark") == "never loaded again"
    count = failing_cells(page).count()
    assert count > 0

    expect(failing_cells(failing)).to_have_count(count)  # came by itself into a table that was empty
    assert (fits(page), fits(failing)) == (True, True)
    failing.screenshot(path=tmp_path / f"failing-{other}.png", full_page=True)
    page.screenshot(path=tmp_path / f"live-{reader}.png", full_page=True)

    by_cause = page.locator("section", has_text=reader.says("Failures by cause"))
    causes = by_cause.locator("tbody tr")
    expect(causes).to_have_count(1)
    expect(causes.locator("td").first).to_have_text(str(count))
    causes.get_by_role("link").first.click()
    expect(page.locator(".log-line.target")).to_contain_text("TB_ERROR [LEVEL]")

    page.goto(campaign)
    walk_by_keys(page, reader)
    page.goto(campaign)
    page.get_by_text(reader.says("New seeds")).click()
    page.get_by_role("button", name=reader.says("Run %(count)s tasks again", count=count)).click()
    expect(page).to_have_url(re.compile(r"run=1$"))
    expect(page.locator(".cells td > a")).to_have_count(count)
    expect(page.locator(".cells .w, .cells .r")).to_have_count(0, timeout=LONG)
    again = f"{reader.says('Failures again, new seeds')} · {reader.says('with waveforms')}"
    expect(page.locator("[data-part='runs']")).to_contain_text(again)


@BOTH
def test_a_regression_is_stopped_from_its_page(open_page: OpenPage, reader: Reader) -> None:
    page = reader.opens(open_page, demo.DESIGNER)
    submit(page, reader, "seeds = 600\n[tests.random]\nplusargs = ['n=4000']\n")
    expect(page.locator(".cells .p, .cells .f").first).to_be_visible(timeout=LONG)
    expect(page.locator(".live")).to_contain_text(reader.says("Live"))
    stop = page.get_by_role("button", name=reader.says("Stop"), exact=True)
    stop.click()
    expect(page.get_by_text(reader.says("Stopped by a person."))).to_be_visible()
    cancelled = reader.says("Cancelled")
    expect(page.locator("[data-part='head'] .state").first).to_contain_text(cancelled, timeout=LONG)
    expect(stop).to_have_count(0)
    never_ran = page.locator(f".cells a[aria-label$='{reader.says('Never ran')}']")
    expect(never_ran.first).to_be_visible()
    assert fits(page)


@pytest.mark.parametrize(("reader", "other"), [(AT_DESK, ON_PHONE), (ON_PHONE, AT_DESK)], ids=str)
def test_a_job_is_submitted_watched_line_by_line_and_cancelled(
    open_page: OpenPage, reader: Reader, other: Reader
) -> None:
    page = reader.opens(open_page, demo.DESIGNER)
    page.goto("/submit/script")
    page.locator("[name='name']").fill("watched")
    page.locator("[name='script']").fill(TICKS)
    page.get_by_role("button", name=reader.says("Submit"), exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    state = page.locator(".head .state")
    page.evaluate("document.body.dataset.mark = 'never loaded again'")
    expect(state).to_contain_text(reader.says("Running"), timeout=LONG)
    log = other.opens(open_page, demo.DESIGNER)
    log.goto(f"{page.url}/log")
    expect(log.locator(".log")).to_contain_text("tick 1", timeout=LONG)
    seen = log.locator(".log-line").count()
    expect(log.locator(".log")).to_contain_text(f"tick {seen + 5}", timeout=LONG)
    cancel = page.get_by_role("button", name=reader.says("Cancel"), exact=True)
    cancel.click()
    page.locator("dialog.ask button[value='yes']").click()
    expect(state).to_contain_text(reader.says("Cancelled"), timeout=LONG)
    assert page.evaluate("document.body.dataset.mark") == "never loaded again"
    expect(cancel).to_have_count(0)
    expect(log.locator(".log-end")).to_have_text(other.says("End of the log"))
    assert (fits(page), fits(log)) == (True, True)


@pytest.mark.parametrize(("reader", "other"), [(AT_DESK, ON_PHONE), (ON_PHONE, AT_DESK)], ids=str)
def test_a_lead_asks_for_more_and_sees_it_in_the_header_once_it_is_granted(
    open_page: OpenPage, reader: Reader, other: Reader
) -> None:
    lead = reader.opens(open_page, LEAD)
    lead.goto("/requests/new")
    lead.locator("label", has_text=reader.says("New grant")).first.click()
    last_day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    lead.get_by_label(reader.says("Last day")).fill(last_day)
    lead.get_by_label(reader.says("What for")).fill("Nightly regressions until the tape-out.")
    lead.locator("input[name='amount.VND']").fill("7654321")
    lead.get_by_role("button", name=reader.says("Submit the request")).click()
    expect(lead.locator(".head .state")).to_contain_text(reader.says("Submitted"))
    request = lead.url
    lead.goto("/settings")
    left = lead.locator(LEFT)
    before = digits(left.inner_text())

    chief = other.opens(open_page, ADMINISTRATOR)
    chief.goto(request)
    chief.get_by_role("button", name=other.says("Approve all")).click()
    expect(chief.locator(".head .state")).to_contain_text(other.says("Approved"))

    expect(left).to_have_text(reader.vnd(before + 7_654_321))
    expect(lead).to_have_url(re.compile("/settings$"))
    assert (fits(lead), fits(chief)) == (True, True)


def digits(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def test_a_training_is_watched_stopped_and_paid_for_and_a_sweep_finds_the_best(open_page: OpenPage) -> None:
    reader, other = ON_PHONE, AT_DESK
    page = reader.opens(open_page, None)
    enter(page, reader)
    before = digits(page.locator(LEFT).inner_text())
    submit_template(page, reader, "PyTorch training", name="digits", epochs="10000")
    job = page.url
    expect(page.locator(LEFT)).not_to_have_text(reader.vnd(before))
    page.evaluate("document.body.dataset.mark = 'never loaded again'")

    log, curve = (other.opens(open_page, demo.RESEARCHER) for _ in range(2))
    curve.goto(f"{job}/metrics")
    log.goto(f"{job}/log")
    expect(log.locator(".log")).to_contain_text('"event": "epoch"', timeout=LONG)
    expect(page.locator(".head .state")).to_contain_text(reader.says("Running"))
    expect(curve.locator(".curve canvas").first).to_be_visible()
    known = curve.evaluate(UNTIL_LONGER, 0)
    assert curve.evaluate(UNTIL_LONGER, known) > known
    page.get_by_role("button", name=reader.says("Cancel"), exact=True).click()
    page.locator("dialog.ask button[value='yes']").click()
    for one, seen in ((page, reader), (curve, other)):
        expect(one.locator(".head .state")).to_contain_text(seen.says("Cancelled"), timeout=LONG)
    expect(log.locator(".log-end")).to_have_text(other.says("End of the log"))
    expect(log.locator(".log")).to_contain_text('"event": "preempted"')
    assert page.evaluate("document.body.dataset.mark") == "never loaded again"

    page.locator("nav.tabs").get_by_role("link", name=reader.says("Cost"), exact=True).click()
    _estimated, held, charged = page.locator("[data-part=cost] .grid-3 .figure").all()
    expect(held).to_have_text(reader.vnd(0), timeout=LONG)
    expect(charged).not_to_have_text(reader.vnd(0))
    after = before - digits(charged.inner_text())
    for one, shown in ((page, reader), (log, other), (curve, other)):
        expect(one.locator(LEFT)).to_have_text(shown.vnd(after))
        assert fits(one)

    submit_template(page, reader, "Hyper-parameter sweep", trials=str(TRIALS), arguments="--epochs=3")
    page.get_by_role("link", name=reader.says("Compare trials")).click()
    done = page.locator("[data-trial]", has_text=reader.says("Done"))
    expect(done).to_have_count(TRIALS, timeout=LONG)
    best = page.request.get(page.url.replace("/jobs/", "/api/v1/jobs/")).json()["best"]["task_index"]
    name = reader.says("Trial %(number)s", number=best)
    expect(page.locator(".parallel canvas")).to_have_attribute("width", re.compile("^[1-9]"))
    assert fits(page)
    page.locator("[data-best]").get_by_role("link", name=name, exact=True).click()
    expect(page).to_have_url(re.compile(f"/log\\?task={best}$"))
    expect(page.locator(".log")).to_contain_text('"epoch": 3,')


def enter(page: Page, reader: Reader) -> None:
    page.goto("/sign-in")
    page.get_by_label(reader.says("User name")).fill(demo.RESEARCHER)
    page.get_by_label(reader.says("Password")).fill(demo.PASSWORD)
    page.get_by_role("button", name=reader.says("Sign in"), exact=True).click()
    expect(page.locator(LEFT)).to_be_visible()


def submit_template(page: Page, reader: Reader, template: str, **values: str) -> None:
    """Choose the template among all, fill its form, and go to the page of the job that it made."""
    page.goto("/submit")
    page.get_by_role("link", name=reader.says(template)).click()
    for name, value in values.items():
        page.locator(f"[name='{name}']").fill(value)
    expect(page.locator("#bar-now")).to_contain_text("₫")  # the price, before it is agreed to
    page.get_by_role("button", name=reader.says("Submit"), exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
