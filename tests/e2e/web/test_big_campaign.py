"""Campaigns whose results are in the database: a matrix larger than a table can hold, and a history."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from hpc_portal.app.db import create_engine, transact
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import NOW, City
from tests.seeded_campaign import FAILS_EVERY, Owner, Shape, seed_campaign

pytestmark = pytest.mark.xdist_group("browser-big-campaign")

BIG = Shape(tests=101, seeds=100)
"""Just too large for a table."""


def seed(city: City, shape: Shape, at: datetime = NOW) -> UUID:
    organisation, project = city.organisations["sao-bien"], city.projects["npu-verif"]
    owner = Owner(organisation, project, city.users["linh"], "danang")
    engine = create_engine(city.settings.effective_database_url)
    found = transact(engine, lambda connection: seed_campaign(connection, owner, shape, at=at))
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def big(city: City) -> UUID:
    return seed(city, BIG)


@pytest.fixture(scope="module")
def night(city: City) -> UUID:
    """The second of two nights: other tasks fail, and the first test takes twice as long."""
    seed(city, Shape(tests=3, seeds=40, name="by night"), NOW - timedelta(days=1))
    return seed(city, Shape(tests=3, seeds=40, name="by night", shift=1, slower=2))


def told(page: Page) -> str:
    return page.locator(".canvas-told").inner_text()


def test_a_large_matrix_is_drawn_walked_by_keys_and_leads_to_the_log(
    open_page: OpenPage, big: UUID, tmp_path: Path
) -> None:
    page = open_page(locale="en", expected=(404,))  # its logs were never written
    answer = page.goto(f"/campaigns/{big}")
    assert answer
    assert len(answer.body()) < 100_000
    box = page.locator("[data-scroller]")
    box.focus()
    expect(page.locator(".canvas-told")).to_have_text("test_0000 1: Fail")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".canvas-told")).to_have_text("test_0000 2: Pass")
    page.keyboard.press("n")
    expect(page.locator(".canvas-told")).to_have_text(f"test_0000 {FAILS_EVERY + 1}: Fail")
    for _ in range(10):
        page.keyboard.press("PageDown")
    page.keyboard.press("End")
    expect(page.locator(".canvas-told")).to_have_text("test_0100 100: Pass")
    page.screenshot(path=tmp_path / "canvas-en-1280.png", full_page=True)
    page.get_by_role("button", name="Next failure").focus()
    box.focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("Home")
    page.keyboard.press("n")
    assert re.fullmatch(r"test_\d{4} \d+: Fail", told(page))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/jobs/{big}/log\?task=\d+&file=logs"))


def test_a_click_opens_the_task_that_is_under_it(open_page: OpenPage, big: UUID) -> None:
    page = open_page(locale="en", expected=(404,))  # its logs were never written
    page.goto(f"/campaigns/{big}")
    expect(page.locator("[data-matrix]")).to_have_attribute("aria-busy", "false")
    canvas = page.locator("[data-scroller] canvas")
    canvas.hover(position={"x": 180, "y": 5})
    expect(page.locator(".canvas-told")).to_have_text("test_0000 1: Fail")
    canvas.click(position={"x": 180, "y": 5})
    expect(page).to_have_url(re.compile(rf"/jobs/{big}/log\?task=0&"))


def test_its_failures_are_a_table_and_it_can_be_read_without_scripts(open_page: OpenPage, big: UUID) -> None:
    page = open_page(locale="vi", theme="dark", width=390, javascript=False)
    page.goto(f"/campaigns/{big}?only=failing")
    expect(page.locator(".cells td > a")).to_have_count(BIG.tests * BIG.seeds // FAILS_EVERY + 1)
    page.goto(f"/campaigns/{big}")
    page.get_by_role("link", name="Xem dạng bảng, từng phần").click()
    expect(page.locator(".cells td > a")).to_have_count(10_000)


def test_it_fits_a_phone_in_the_dark(open_page: OpenPage, big: UUID, tmp_path: Path) -> None:
    page = open_page(locale="vi", theme="dark", width=390)
    page.goto(f"/campaigns/{big}")
    page.locator("[data-scroller]").focus()
    expect(page.locator(".canvas-told")).to_have_text("test_0000 1: Không đạt")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / "canvas-vi-390.png", full_page=True)
    assert barriers(page) == []


@pytest.mark.parametrize(("locale", "theme", "width"), [("en", "light", 1280), ("vi", "dark", 390)])
def test_a_night_stands_beside_the_one_before(  # noqa: PLR0913 - fixtures and parameters
    open_page: OpenPage, night: UUID, tmp_path: Path, *, locale: str, theme: str, width: int
) -> None:
    page = open_page(locale=locale, theme=theme, width=width)
    page.goto(f"/campaigns/{night}/history")
    counts = page.locator("#compared .legend .state")
    expect(counts).to_have_text([re.compile(f" {count}$") for count in (3, 0, 3, 1)])
    slower = page.locator("#compared details").last.locator("tbody tr")
    expect(slower).to_have_count(1)
    expect(slower).to_contain_text("test_0000")
    expect(page.locator(".curve canvas")).to_have_count(3)
    expect(page.locator(".spark")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / f"history-{locale}-{width}.png", full_page=True)
    assert barriers(page) == []


def test_a_cell_of_a_table_is_small_says_its_state_in_words_and_leads_on_without_scripts(
    open_page: OpenPage, night: UUID
) -> None:
    page = open_page(locale="vi", width=390, javascript=False, expected=(404,))  # its logs were never written
    page.goto(f"/campaigns/{night}")
    cells = page.locator(".cells td > a")
    assert cells.count() == 3 * 40
    first, second = cells.nth(39), cells.nth(40)
    assert [one.get_attribute("aria-label") for one in (first, second)] == ["Không đạt", "Đạt"]
    assert page.locator(".cells tbody").evaluate("one => one.innerHTML.length") < 3 * 40 * 65
    first.click()
    expect(page).to_have_url(re.compile(rf"/jobs/{night}/log\?task=39&file=logs"))


def test_a_cell_of_a_table_says_where_it_stands_once_it_is_looked_at(
    open_page: OpenPage, night: UUID
) -> None:
    page = open_page(locale="en")
    page.goto(f"/campaigns/{night}")
    cells = page.locator(".cells td > a")
    expect(page.locator(".cells a[tabindex='0']")).to_have_count(1)
    cells.nth(39).hover()
    expect(cells.nth(39)).to_have_attribute("title", "test_0000 40: Fail")
    cells.first.focus()
    expect(cells.first).to_have_attribute("aria-label", "test_0000 1: Pass")
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "test_0001 1: Pass")
    assert barriers(page) == []
