"""What is typed into the submit form is kept in the browser until its job is stored."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD
from tests.e2e.web.conftest import PATIENCE_MILLISECONDS

pytestmark = pytest.mark.xdist_group("browser-submission")

DRAFTS = "Object.entries(localStorage).filter(([key]) => key.startsWith('draft/')).map(([, text]) => text)"


def _drafts(page: Page) -> list[str]:
    found: list[str] = page.evaluate(DRAFTS)
    return found


def _type_name(page: Page, name: str) -> None:
    """Fill in the job's name and wait until the browser keeps it."""
    page.get_by_label("Job name").fill(name)
    _wait_for_drafts(page, name)


def _wait_for_drafts(page: Page, name: str | None) -> None:
    deadline = time.monotonic() + PATIENCE_MILLISECONDS / 1000
    while any(f'"{name}"' in text for text in _drafts(page)) != (name is not None) or (
        name is None and _drafts(page)
    ):
        assert time.monotonic() < deadline, _drafts(page)
        page.wait_for_timeout(20)


def _wait_until_let_go(page: Page) -> None:
    """Until the browser has noticed that no other page works on a draft."""
    deadline = time.monotonic() + PATIENCE_MILLISECONDS / 1000
    while page.evaluate("navigator.locks.query().then(({ held }) => held.length)"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def _sign_in(page: Page, user: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).not_to_have_url(re.compile("sign-in"))


def test_a_draft_survives_reloads_and_crashes_until_one_begins_anew(open_page: OpenPage) -> None:
    page = open_page(locale="en", width=390, theme="dark")
    page.goto("/submit/rtl-regression")
    page.get_by_label("Record waveforms").check()
    page.get_by_text("verilator", exact=True).click()
    _type_name(page, "half typed")
    for _ in range(2):
        page.reload()
        expect(page.get_by_label("Job name")).to_have_value("half typed")
        expect(page.get_by_label("Record waveforms")).to_be_checked()
        expect(page.get_by_role("radio", name="verilator")).to_be_checked()
        expect(page.locator("#draft")).to_contain_text(re.compile(r"from your draft of \d\d:\d\d\."))
    after_crash = page.context.new_page()
    after_crash.goto("/submit")
    page.close()
    _wait_until_let_go(after_crash)
    after_crash.goto("/submit/rtl-regression")
    expect(after_crash.get_by_label("Job name")).to_have_value("half typed")
    after_crash.get_by_role("button", name="Begin anew").click()
    expect(after_crash.get_by_label("Job name")).not_to_have_value("half typed")
    expect(after_crash.get_by_label("Record waveforms")).not_to_be_checked()
    expect(after_crash.locator("#draft")).to_be_hidden()
    _wait_for_drafts(after_crash, None)
    after_crash.reload()
    expect(after_crash.locator("#estimate .figure-label").first).to_be_visible()
    expect(after_crash.locator("#draft")).to_be_hidden()


def test_a_draft_outlives_the_session_and_is_nobody_elses(open_page: OpenPage) -> None:
    page = open_page(locale="en", expected=(401, 403))
    page.goto("/submit/script")
    _type_name(page, "before the session ended")
    page.route("**/estimate", lambda route: route.fulfill(status=204))  # which would lead to the sign-in, too
    page.context.clear_cookies(name=re.compile("^(?!locale$|theme$)"))
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_label("Job name")).to_have_count(0)
    page.unroute("**/estimate")
    _sign_in(page, "minh")
    page.goto("/submit/script")
    expect(page.locator("#estimate .figure")).to_be_visible()
    expect(page.get_by_label("Job name")).not_to_have_value("before the session ended")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("sign-in"))
    _sign_in(page, "linh")
    page.goto("/submit/script")
    expect(page.get_by_label("Job name")).to_have_value("before the session ended")


def test_a_stored_job_ends_its_draft_and_a_refused_one_does_not(open_page: OpenPage) -> None:
    page = open_page(locale="en", expected=(422,))
    page.goto("/submit/script")
    _type_name(page, "sent")
    page.get_by_label("Walltime").fill("tomorrow")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto("/submit/script")
    expect(page.get_by_label("Job name")).to_have_value("sent")
    expect(page.get_by_label("Walltime")).to_have_value("tomorrow")
    page.get_by_label("Walltime").fill("00:10:00")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("sent")
    _wait_for_drafts(page, None)
    page.goto("/submit/script")
    expect(page.locator("#estimate .figure")).to_be_visible()
    expect(page.get_by_label("Job name")).not_to_have_value("sent")
    expect(page.locator("#draft")).to_be_hidden()


def test_two_tabs_keep_a_draft_each(open_page: OpenPage) -> None:
    first = open_page(locale="en")
    first.goto("/submit/script")
    _type_name(first, "first tab")
    second = first.context.new_page()
    second.goto("/submit/script")
    _type_name(second, "second tab")
    for page, name in ((first, "first tab"), (second, "second tab")):
        page.reload()
        expect(page.get_by_label("Job name")).to_have_value(name)
    second.get_by_role("button", name="Begin anew").click()
    first.reload()
    expect(first.get_by_label("Job name")).to_have_value("first tab")


def test_files_and_hidden_values_are_not_kept(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "top.v").write_text("module secret_core; endmodule\n")
    page = open_page(locale="en", expected=(422,))
    page.goto("/submit/lint")
    token = page.locator("meta[name='csrf-token']").get_attribute("content")
    assert token
    page.locator("input[type=file]").first.set_input_files(tmp_path / "top.v")
    _type_name(page, "with files")
    page.get_by_label("CPUs").fill("9999")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("textarea[name='sources.top.v']")).to_have_count(1)
    _type_name(page, "still with files")
    kept = "".join(_drafts(page))
    assert "secret_core" not in kept
    assert token not in kept
