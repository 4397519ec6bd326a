"""The log page in a browser: it stays at the end of what a job writes, and with its reader otherwise."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-log")


def _open_tall_log(open_page: OpenPage, city: City) -> Page:
    """A log whose lines fill many rows each, so that it is far taller than the browser takes it for."""
    log = city.log_of("ocr-vi-finetune")
    log.write_text("".join(f"{number} {'word ' * 200}\n" for number in range(1, 901)))
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['ocr-vi-finetune']}/log")
    expect(page.locator(".live")).to_contain_text("Live")
    return page


def test_layout_that_shifts_is_not_taken_for_the_reader(open_page: OpenPage, city: City) -> None:
    page = _open_tall_log(open_page, city)
    expect(page.locator(".log-end")).to_be_in_viewport()
    page.set_viewport_size({"width": 700, "height": 844})
    expect(page.locator(".log-end")).to_be_in_viewport()
    with city.log_of("ocr-vi-finetune").open("a") as log:
        log.write("the newest line\n")
    expect(page.get_by_text("the newest line")).to_be_in_viewport()


def test_a_reader_who_moves_up_is_left_alone(open_page: OpenPage, city: City) -> None:
    page = _open_tall_log(open_page, city)
    expect(page.locator(".log-end")).to_be_in_viewport()
    page.locator(".log").hover()
    page.mouse.wheel(0, -3000)
    expect(page.get_by_role("button", name="To the end")).to_be_visible()
    with city.log_of("ocr-vi-finetune").open("a") as log:
        log.write("the newest line\n")
    expect(page.get_by_text("the newest line")).to_have_count(1)
    expect(page.get_by_text("the newest line")).not_to_be_in_viewport()
    page.get_by_role("button", name="To the end").click()
    expect(page.get_by_text("the newest line")).to_be_in_viewport()
