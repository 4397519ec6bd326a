"""A report is filtered in the address, read on the page and taken away as a file."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader
from sqlalchemy import Connection, insert, select
from sqlmodel import col

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.reports.period import local_day
from quotas.tables import Project
from quotas.usage_tables import NOBODY, UsageDay
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-reports")


def test_a_report_keeps_its_filter_in_the_address_and_in_its_files(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(user="thanhpho", locale="vi")
    page.goto("/reports")
    page.locator("#f-by0").select_option("user")
    page.locator("#f-by1").select_option("")
    page.locator("main form button").click()
    page.wait_for_url("**/reports?*by=user*")
    expect(page.get_by_role("columnheader", name="Người dùng")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="PDF").click()
    path = tmp_path / "usage.pdf"
    started.value.save_as(path)
    text = PdfReader(path).pages[0].extract_text()
    assert "Mức sử dụng" in text
    assert "Người dùng" in text


def test_a_statement_is_of_the_month_and_project_that_the_reader_chose(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/reports/statement")
    expect(page.get_by_text("This month is not closed yet")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Closing")).to_be_visible()
    expect(page.get_by_text("At list prices")).to_be_visible()


def test_open_data_are_not_there_unless_the_city_wants_it(open_page: OpenPage) -> None:
    page = open_page(user=None, locale="en", expected=(404,))
    answer = page.goto("/open-data")
    assert answer
    assert answer.status == 404


def test_a_statement_on_paper_is_light_and_has_no_navigation(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(locale="vi", theme="dark")
    page.goto("/reports/statement")
    page.pdf(path=tmp_path / "statement.pdf", prefer_css_page_size=True)
    text = " ".join(sheet.extract_text() for sheet in PdfReader(tmp_path / "statement.pdf").pages)
    assert "Sao kê tháng" in text
    assert "Tác vụ mới" not in text
    assert "127.0.0.1" not in text
    page.emulate_media(media="print")
    expect(page.locator("aside, .tabs, .downloads, .page form").locator("visible=true")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


DAYS, TEMPLATES = 25, 10


def _used_every_day(connection: Connection) -> None:
    """By ten templates on each of so many days: more lines than a page shows at once."""
    project, organisation = connection.execute(
        select(col(Project.id), col(Project.organisation_id)).where(col(Project.account) == "npu-verif")
    ).one()
    today = local_day(datetime.now(UTC))
    of_all: dict[str, Any] = {
        "organisation_id": organisation,
        "project_id": project,
        "allocation_id": NOBODY,
        "user_id": NOBODY,
    }
    of_all |= {"cluster": "danang", "partition": "cpu", "state": "COMPLETED", "gpu_type": "", "runs": 1}
    connection.execute(
        insert(UsageDay),
        [
            of_all | {"day": day, "posted_on": day, "workload": f"template-{number}", "elapsed_seconds": 60}
            for day in (today - timedelta(days=ago) for ago in range(1, DAYS + 1))
            for number in range(TEMPLATES)
        ],
    )


def test_a_long_report_shows_its_first_lines_and_on_request_all(
    open_page: OpenPage, city: City, tmp_path: Path
) -> None:
    engine = create_engine(city.settings.effective_database_url)
    transact(engine, _used_every_day)
    engine.dispose()
    since = local_day(datetime.now(UTC)) - timedelta(days=DAYS)
    page = open_page(user="thanhpho", locale="en")
    page.goto(f"/reports?by=day&by=workload&project=npu-verif&since={since}")
    lines = page.locator("tbody tr")
    expect(lines).to_have_count(200)
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").first.click()
    path = tmp_path / "usage.csv"
    started.value.save_as(path)
    every = len(list(csv.DictReader(path.read_text("utf-8-sig").splitlines())))
    assert every >= DAYS * TEMPLATES
    expect(page.get_by_text(f"200 of {every} lines are shown")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(lines).to_have_count(every)
    expect(page.get_by_text("lines are shown")).to_have_count(0)
