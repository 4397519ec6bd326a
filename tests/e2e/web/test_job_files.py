"""Files of a job in the browser: looked at, downloaded one by one and together, whatever they are called."""

import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Download, Page, expect

from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-job-files")

DOT = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""A red pixel as GIF."""
NEWLINE = "two\nlines.txt"
MARKUP = "<img src=x onerror=alert(1)>&amp;.txt"
BIDI = "gnp.\N{RIGHT-TO-LEFT OVERRIDE}txt.exe"
CORNERS = "corner,slack_ns\nss,-0.05\n<b>tt</b>,0.31\n"


@pytest.fixture(scope="module")
def folder(city: City) -> Path:
    found = city.workspaces["axi-formal"] / "reports"
    found.mkdir()
    (found / "dot.gif").write_bytes(DOT)
    (found / "corners.csv").write_text(CORNERS)
    (found / "summary.json").write_text(json.dumps({"passed": 41, "tên": "kiểm <chứng>"}, ensure_ascii=False))
    for name in (NEWLINE, MARKUP, BIDI):
        (found / name).write_text(f"this is {name!r}\n")
    return found


def opened(page: Page, city: City) -> Page:
    page.goto(f"/jobs/{city.jobs['axi-formal']}/files")
    page.get_by_role("link", name="reports/").click()
    return page


def look_at(page: Page, city: City, name: str) -> Page:
    opened(page, city).get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    return page


def clicked(page: Page, link: str) -> Download:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return download.value


def test_an_image_a_table_and_json_are_shown_in_the_page(
    open_page: OpenPage, city: City, folder: Path, tmp_path: Path
) -> None:
    page = open_page(locale="en")
    image = look_at(page, city, "dot.gif").get_by_role("img", name="dot.gif")
    expect(image).to_be_visible()
    expect(image).to_have_js_property("naturalWidth", 1)
    look_at(page, city, "corners.csv")
    table = page.locator("main table")
    expect(table.get_by_role("columnheader")).to_have_text(["corner", "slack_ns"])
    expect(table.get_by_role("cell")).to_have_text(["ss", "-0.05", "<b>tt</b>", "0.31"])
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "table-en-1280.png", full_page=True)
    look_at(page, city, "summary.json")
    expect(page.locator("pre.preview-text")).to_contain_text('"passed": 41')
    expect(page.locator("pre.preview-text")).to_contain_text('"tên": "kiểm <chứng>"')


def test_one_file_and_all_as_zip_are_downloaded_by_a_click(
    open_page: OpenPage, city: City, folder: Path, tmp_path: Path
) -> None:
    page = look_at(open_page(locale="en"), city, "corners.csv")
    file = clicked(page, "Download")
    assert file.suggested_filename == "corners.csv"
    assert file.path().read_text() == CORNERS
    packed = clicked(opened(page, city), "All as zip")
    assert packed.suggested_filename == "reports.zip"
    with zipfile.ZipFile(packed.path()) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("name", [NEWLINE, MARKUP, BIDI], ids=["newline", "markup", "bidi"])
@pytest.mark.parametrize("javascript", [True, False])
def test_a_name_with_a_newline_markup_or_another_direction_is_shown_as_it_is_and_opens(
    open_page: OpenPage, city: City, folder: Path, name: str, *, javascript: bool
) -> None:
    page = opened(open_page(locale="en", javascript=javascript, width=390), city)
    link = page.locator("main table a bdi").filter(has_text=name.splitlines()[0])
    expect(link).to_have_count(1)
    assert link.text_content() == name
    assert page.locator("main table img").count() == 0
    link.click()
    assert page.locator("main h2 bdi").text_content() == name
    expect(page.locator("pre.preview-text")).to_have_text(f"this is {name!r}\n")
    assert clicked(page, "Download").path().read_text() == f"this is {name!r}\n"
    if javascript:
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
