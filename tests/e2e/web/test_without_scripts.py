"""A job's whole life without JavaScript, on a portal whose node runs it: submitted, read, cancelled."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from hpc_portal.app import demo
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.readers import BOTH, Reader
from tests.e2e.web.test_stories_with_real_jobs import LONG, portal, states  # noqa: F401 - its fixtures: a real node

pytestmark = [pytest.mark.xdist_group("browser-stories"), pytest.mark.timeout(600)]

SCRIPT = "#!/bin/bash\n#SBATCH --time=5\necho 'bắt đầu'\nsleep 200\n"


@BOTH
def test_a_script_is_submitted_read_and_cancelled_without_javascript(
    open_page: OpenPage, reader: Reader
) -> None:
    page = reader.opens(open_page, demo.DESIGNER, javascript=False)
    page.goto("/submit/script")
    page.get_by_label(reader.says("Job name"), exact=True).fill("no scripts")
    page.locator("[name='script']").fill(SCRIPT)
    page.get_by_role("button", name=reader.says("Submit"), exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    job = page.url
    state = page.locator(".head .state")
    look_until(page, job, state, reader.says("Running"))
    look_until(page, f"{job}/log", page.locator("main"), "bắt đầu")
    at_most = reader.says("%(mean)s on average, %(most)s at most", mean="", most="").rpartition(",")[2]
    look_until(page, f"{job}/utilisation", page.locator("main"), at_most.strip())  # samples of a real run
    page.goto(f"{job}/script")
    expect(page.locator("main")).to_contain_text("sleep 200")
    assert page.request.get(f"{job}/script/file").text() == SCRIPT
    page.goto(job)
    page.get_by_role("button", name=reader.says("Cancel"), exact=True).click()
    look_until(page, job, state, reader.says("Cancelled"))


def look_until(page: Page, address: str, place: Locator, text: str) -> None:
    """Without scripts a page is looked at anew."""
    for _ in range(LONG // 1000):
        page.goto(address)
        if text in place.inner_text():
            return
        page.wait_for_timeout(500)
    expect(place).to_contain_text(text)
