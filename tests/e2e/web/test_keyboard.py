"""Without a mouse, without motion, with more contrast: every page can be walked, and says where one is."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser")

_WALKED = 30
_FOCUS = """() => {
  const here = document.activeElement
  const box = here.getBoundingClientRect()
  const style = getComputedStyle(here)
  const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
  return {
    name: here.tagName === 'BODY' ? '' : here.outerHTML.slice(0, 90),
    shown: shown || style.boxShadow !== 'none' || here.matches('.segments input, .palette input'),
    reachable: box.width > 0 && box.height > 0,
  }
}"""


def test_the_first_tab_stop_leads_to_the_content(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    page.goto("/jobs")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main#content")).to_be_focused()


@pytest.mark.parametrize("address", ["/", "/submit/rtl-regression", "/clusters/danang"])
def test_every_tab_stop_is_seen_where_it_is(open_page: OpenPage, address: str) -> None:
    page = open_page(locale="vi", theme="dark")
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert [stop for stop in _walk(page) if not (stop["shown"] and stop["reachable"])] == []


def test_the_palette_tells_a_screen_reader_what_is_chosen_and_gives_the_focus_back(
    open_page: OpenPage,
) -> None:
    page = open_page(locale="en")
    page.goto("/quota")
    opener = page.get_by_role("link", name="Search everything")
    opener.focus()
    page.keyboard.press("Enter")
    field = page.get_by_role("combobox", name="Search everything")
    expect(field).to_be_focused()
    expect(page.get_by_role("listbox", name="Search results")).to_be_visible()
    options = page.get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    chosen = options.nth(1).get_attribute("id")
    assert chosen
    expect(field).to_have_attribute("aria-activedescendant", chosen)
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    expect(opener).to_be_focused()


def test_nothing_moves_for_those_who_asked_for_that(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
    page.goto(f"/jobs/{city.jobs['fifo-regression']}")
    assert page.evaluate(moving) > 0
    page.emulate_media(reduced_motion="reduce", contrast="more")
    assert page.evaluate(moving) == 0


def test_what_is_printed_in_the_dark_theme_is_dark_on_white(open_page: OpenPage) -> None:
    page = open_page(locale="vi", theme="dark")
    page.goto("/reports/statement")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Chính")).to_be_hidden()
    ink, paper = page.evaluate(
        "['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])"
    )
    assert (ink, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")


def _walk(page: Page) -> list[dict[str, object]]:
    stops = []
    for _ in range(_WALKED):
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUS)
        if not stop["name"]:
            break
        stops.append(stop)
    assert len(stops) > 10
    return stops
