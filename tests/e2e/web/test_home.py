"""The start page: what happened meanwhile, what is left, and where to begin."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.home.tables import HomeVisit
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import NOW, City, _minutes

pytestmark = pytest.mark.xdist_group("browser")


def test_what_failed_since_the_last_visit_stands_first(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto("/")
    expect(page.get_by_text("Failed since you were last here")).to_have_count(0)
    engine = create_engine(city.settings.effective_database_url)
    earlier = update(HomeVisit).where(col(HomeVisit.user_id) == city.users["linh"])
    transact(engine, lambda connection: connection.execute(earlier.values(seen_at=NOW - _minutes(310))))
    engine.dispose()
    page.goto("/")
    failed = page.get_by_role("region", name="Failed since you were last here")
    expect(failed.get_by_role("link")).to_have_text(["sram-refused", "axi-formal"])
    expect(failed).to_contain_text("Refused")


def test_the_project_at_the_top_is_the_one_that_a_new_job_is_for(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="en", expected=(404,))
    page.goto("/jobs")
    choice = page.locator("header details.choice")
    expect(choice).to_contain_text("npu-verif")
    expect(choice).to_contain_text("₫")
    choice.locator("summary").click()
    choice.get_by_role("link", name="npu-verif Sao Biển Semiconductor").click()
    expect(page).to_have_url(f"{portal}/jobs")
    page.goto("/work-in/riscv-lab?next=/submit/script")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/submit/script")
    expect(page.locator("header details.choice")).to_contain_text("npu-verif")
    expect(page.get_by_label("Project", exact=True)).to_have_value("npu-verif")
