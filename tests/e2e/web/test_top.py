"""What stands at the top of every page follows by itself: clusters that do not answer, and what is left."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, Request, expect
from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app import outages
from hpc_portal.app.clusters import STALE_AFTER
from hpc_portal.app.db import create_engine
from hpc_portal.app.tables import ClusterPart, Job
from quotas.tables import Organisation, Project
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD, City, report_cluster
from tests.e2e.web.conftest import note_complaints
from tests.e2e.web.serve import served
from tests.e2e.web.test_changes import submit
from tests.e2e.web.test_live import is_untouched, opened, with_city

pytestmark = pytest.mark.xdist_group("browser-top")

NO_ANSWER = re.compile("The cluster danang has not answered since .* jobs are taken here and start")
SILENT = re.compile("Nothing has been heard of the cluster danang since")
LEFT = "[data-part=left]"
IS_CUT = "(element) => element.scrollWidth > element.clientWidth"


class HandClock:
    """It goes before the machine's as far as it is told to."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def asks(request: Request) -> bool:
    """Whether a page asks for what it shows: a stream that is opened again is no such."""
    return request.resource_type in {"fetch", "xhr", "document"} and "/live?" not in request.url


def listening(page: Page, address: str) -> list[str]:
    """Go there; what the page asks for once its stream is open. Its badge is for pages that follow more."""
    asked: list[str] = []
    with page.expect_response(re.compile(r"/live\?")):
        page.goto(address)
    page.on("request", lambda request: asked.append(request.url) if asks(request) else None)
    return asked


def test_that_the_scheduler_does_not_answer_is_said_on_open_pages_and_taken_back(
    open_page: OpenPage, city: City
) -> None:
    with_city(city, report_cluster)
    pages = [opened(open_page(locale="en"), address) for address in ("/", "/jobs", "/clusters")]
    settings = open_page(locale="vi")
    asked = listening(settings, "/settings")
    refused = "http://10.0.0.1 refused"
    lost = datetime.now(UTC)
    with_city(city, lambda to: outages.begin(to, "danang", ClusterPart.SCHEDULER, refused, at=lost))
    for page in pages:
        expect(page.locator("main").get_by_role("status").filter(has_text=NO_ANSWER)).to_be_visible()
        assert "10.0.0.1" not in page.content()
    expect(settings.locator("main")).to_contain_text("Cụm danang không trả lời từ")
    expect(pages[2].locator("main")).to_contain_text("Does not answer")
    with_city(city, lambda connection: outages.end(connection, "danang", ClusterPart.SCHEDULER))
    for page in (*pages, settings):
        expect(page.locator("#troubles .alert-box")).to_have_count(0)
    expect(pages[2].locator("main")).not_to_contain_text("Does not answer")
    assert all(map(is_untouched, pages))
    assert asked == [], "the stream itself brings the words"


def test_a_cluster_that_nothing_is_heard_of_is_said_and_what_is_shown_of_it_may_be_old(
    browser: Browser, city: City
) -> None:
    with_city(city, report_cluster)
    clock, complaints = HandClock(), list[str]()
    with served(city.settings, clock=clock) as portal:
        context = browser.new_context(base_url=portal)
        context.add_cookies([{"name": "locale", "value": "en", "url": portal}])
        form: dict[str, str | float | bool] = {"username": "linh", "password": PASSWORD}
        context.request.post("/sign-in", form=form, max_redirects=0)
        jobs, clusters = (context.new_page() for _ in range(2))
        for page, address in ((jobs, "/jobs"), (clusters, "/clusters")):
            note_complaints(page, complaints)
            opened(page, address)
        expect(clusters.locator("main")).not_to_contain_text("May be out of date")
        clock.ahead = STALE_AFTER + timedelta(seconds=1)
        for page in (jobs, clusters):
            expect(page.locator("main").get_by_role("status").filter(has_text=SILENT)).to_be_visible()
        expect(clusters.locator("main")).to_contain_text(re.compile("May be out of date · As of"))
        clock.ahead = timedelta()
        with_city(city, report_cluster)
        for page in (jobs, clusters):
            expect(page.locator("#troubles .alert-box")).to_have_count(0)
        expect(clusters.locator("main")).not_to_contain_text("May be out of date")
        assert all(map(is_untouched, (jobs, clusters)))
        context.close()
    assert complaints == []


def test_what_is_left_follows_a_job_on_every_page_and_no_page_asks_for_it(
    open_page: OpenPage, city: City
) -> None:
    pages = [open_page(locale="en", width=width) for width in (1280, 1280, 390)]
    addresses = ("/settings", "/requests", f"/jobs/{city.jobs['sta-ss-125c']}/cost")  # of a job that is over
    asked = [listening(page, address) for page, address in zip(pages, addresses, strict=True)]
    foreign = open_page(user="minh", locale="en")
    listening(foreign, "/settings")
    theirs = foreign.locator(LEFT).inner_text()
    before = amount(pages[0])
    submit(open_page(locale="en"), "costs something")
    engine = create_engine(city.settings.effective_database_url)
    with engine.connect() as connection:
        price = select(col(Job.estimated_vnd)).where(col(Job.name) == "costs something")
        after = before - connection.execute(price).scalar_one()
    engine.dispose()
    assert after < before
    for page in pages:
        expect(page.locator(LEFT)).to_have_text(f"{after:,}\N{NO-BREAK SPACE}₫")
    expect(foreign.locator(LEFT)).to_have_text(theirs)
    assert (asked[0], asked[2]) == ([], []), "these two follow nothing else"
    pages[0].reload()
    assert amount(pages[0]) == after


def amount(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator(LEFT).inner_text()))


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_where_one_works_is_shown_at_every_width_without_scrolling_sideways(
    open_page: OpenPage, city: City, width: int
) -> None:
    page = open_page(width=width)
    page.goto("/jobs")
    expect(page.locator(".choice summary")).to_contain_text(
        "sao-bien \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} npu-verif"
    )
    place, account = page.locator(".choice-place"), page.locator(".choice-account")
    expect(place).to_be_visible()
    rename(city, "trung-tam-thiet-ke-vi-mach-da-nang", "kiem-chung-bo-xu-ly-ai")
    try:
        page.reload()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert not account.evaluate(IS_CUT), "the organisation is cut before the project is"
        expect(place).to_be_in_viewport(ratio=1)
        expect(page.locator(LEFT)).to_be_in_viewport(ratio=1)
    finally:
        rename(city, "sao-bien", "npu-verif")


def rename(city: City, slug: str, account: str) -> None:
    def work(connection: Connection) -> None:
        own = col(Organisation.id) == city.organisations["sao-bien"]
        connection.execute(update(Organisation).where(own).values(slug=slug))
        connection.execute(
            update(Project).where(col(Project.id) == city.projects["npu-verif"]).values(account=account)
        )

    with_city(city, work)
