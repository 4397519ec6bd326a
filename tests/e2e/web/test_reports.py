"""A report is filtered in the address, read on the page and taken away as a file."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.e2e.web.browser import OpenPage

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
