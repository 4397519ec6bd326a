"""The badge at the top says whether a page is live; a stream that was cut goes on where it ended."""

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from schedulers.jobstate import JobState
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD, City
from tests.e2e.web.conftest import note_complaints
from tests.e2e.web.serve import served
from tests.e2e.web.test_live import opened, set_state
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("browser-badge")

NOTE_JOB_EVENTS = """() => {
  window.told = []
  document.addEventListener('live:job', ({ detail }) => {
    window.told.push([detail.sequence, detail.facts.state])
  })
}"""
SHOW_TAB = """(isHidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden })
  document.dispatchEvent(new Event('visibilitychange'))
}"""
"""A browser without a screen never hides its tabs."""


@pytest.fixture(autouse=True)
def as_before(city: City) -> Iterator[None]:
    """The job waits again, whatever became of a test."""
    yield
    set_state(city, "npu-synth", JobState.PENDING, "Resources")


@pytest.fixture
def reader(browser: Browser) -> Iterator[Page]:
    """A page of a browser that may find the portal gone."""
    context = browser.new_context(locale="en-GB")
    complaints: list[str] = []
    page = context.new_page()
    note_complaints(page, complaints, expected=("net::ERR_",))
    yield page
    context.close()
    assert complaints == []


def test_a_stream_that_is_cut_is_said_and_goes_on_after_the_last_event_that_was_seen(
    city: City, reader: Page
) -> None:
    number, job = free_port(), city.jobs["npu-synth"]
    resumed: list[Request] = []
    with served(city.settings, socket.create_server(("127.0.0.1", number))) as portal:
        reader.context.request.post(
            f"{portal}/sign-in", form={"username": "linh", "password": PASSWORD}, max_redirects=0
        )
        reader.context.add_cookies([{"name": "locale", "value": "en", "url": portal}])
        page = opened(reader, f"{portal}/jobs/{job}/cost")
        page.evaluate(NOTE_JOB_EVENTS)
        set_state(city, "npu-synth", JobState.SUSPENDED)
        expect(page.locator(".head .state")).to_contain_text("Suspended")
    badge = page.locator(".live")
    expect(badge).to_contain_text("Reconnecting")
    expect(badge).to_have_attribute("data-is", "waiting")
    expect(badge).to_contain_text("Reconnecting · as of")
    for state in (JobState.PENDING, JobState.RUNNING):
        set_state(city, "npu-synth", state)
    page.on("request", lambda request: resumed.append(request) if "/live" in request.url else None)
    with served(city.settings, socket.create_server(("127.0.0.1", number))):
        expect(badge).to_have_text("Live")
        expect(page.locator(".head .state")).to_contain_text("Running")
        page.wait_for_function("window.told.length >= 3")
        told = page.evaluate("window.told")
        assert [state for _, state in told] == ["SUSPENDED", "PENDING", "RUNNING"]
        assert resumed[-1].all_headers()["last-event-id"] == str(told[0][0])
        page.goto("about:blank")


def test_a_hidden_tab_pauses_and_says_how_old_it_is(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.clock.install()
    page = opened(page, f"/jobs/{city.jobs['npu-synth']}/cost")
    badge = page.locator(".live")
    page.evaluate(SHOW_TAB, True)
    expect(badge).to_have_text("Paused")
    set_state(city, "npu-synth", JobState.SUSPENDED)
    page.clock.fast_forward(12 * 60 * 1000)
    expect(badge).to_have_text("Paused · as of 12 minutes ago")
    expect(badge).to_have_class("live is-old")
    expect(page.locator(".head .state")).to_contain_text("Queued")
    page.evaluate(SHOW_TAB, False)
    expect(badge).to_have_text("Live")
    expect(badge).to_have_class("live")
    expect(page.locator(".head .state")).to_contain_text("Suspended")
