"""An administrator decides on a job's page what becomes of it when nobody knows where it is."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, update
from sqlmodel import col

from hpc_portal.app.jobs.decide_doubt import UNREADABLE
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-doubt")


def doubtful_job(page: Page, city: City, name: str) -> str:
    """Its address."""
    page.goto("/submit/script")
    page.get_by_label("Job name", exact=True).fill(name)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))
    engine = create_engine(city.settings.effective_database_url)
    with engine.begin() as connection:
        doubt = {"phase": Phase.DISPATCHING, "state_reason": UNREADABLE}
        connection.execute(update(Job).where(col(Job.name) == name).values(doubt))
    engine.dispose()
    return page.url


@pytest.mark.parametrize("javascript", [True, False])
def test_the_owner_sees_why_it_waits_and_an_administrator_decides(
    open_page: OpenPage, city: City, *, javascript: bool
) -> None:
    owner = open_page(locale="en", javascript=javascript)
    address = doubtful_job(owner, city, f"doubtful {javascript}")
    owner.reload()
    expect(owner.locator("[data-part=head]")).to_contain_text("The portal cannot read what the cluster says")
    expect(owner.get_by_role("button", name="End it")).to_have_count(0)
    administrator = open_page(locale="vi", user="thanhpho", javascript=javascript)
    administrator.goto(address)
    administrator.get_by_label("Kết quả kiểm tra").fill("squeue không có tác vụ này")
    administrator.get_by_role("button", name="Kết thúc tác vụ").click()
    expect(administrator.locator(".head .state")).to_contain_text("Đã hủy")
    owner.goto(f"{address}/events")
    expect(owner.get_by_text("An administrator decided")).to_be_visible()


@pytest.mark.parametrize(("locale", "width"), [("vi", 1280), ("en", 390)])
def test_the_form_fits(open_page: OpenPage, city: City, locale: str, width: int) -> None:
    address = doubtful_job(open_page(locale="en"), city, f"to be looked at {width}")
    page = open_page(locale=locale, user="thanhpho", width=width)
    page.goto(address)
    expect(page.locator("#doubt-reason")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
