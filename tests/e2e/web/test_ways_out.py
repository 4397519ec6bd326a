"""What stands in a submission's way says where to mend it, and offers ways out that work with one click."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-submission")

SHORTEN = re.compile("Shorten to")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_walltime_that_the_budget_can_pay_is_one_click_away(
    open_page: OpenPage, *, javascript: bool
) -> None:
    page = open_page(locale="en", javascript=javascript)
    page.goto("/submit/script")
    page.get_by_label("Array", exact=True).fill("0-9999")
    page.get_by_label("Walltime").fill("5-00:00:00")
    if not javascript:
        page.get_by_role("button", name="Show the price").click()
    expect(page.locator("#estimate .obstacles")).to_contain_text("left")
    expect(page.get_by_role("link", name="Ask for what is missing")).to_be_visible()
    page.get_by_role("button", name=SHORTEN).click()
    expect(page.get_by_label("Walltime")).not_to_have_value("5-00:00:00")
    expect(page.locator("#estimate .obstacles")).to_have_count(0)
    expect(page.locator("#estimate .figure")).to_be_visible()


def test_on_a_small_screen_price_start_and_submit_are_always_in_reach(open_page: OpenPage) -> None:
    page = open_page(locale="en", width=390)
    page.goto("/submit/synthesis")
    bar = page.locator("#bar-now")
    expect(bar).to_contain_text("₫")
    expect(page.get_by_role("button", name="Submit")).to_be_in_viewport()
    page.get_by_label("Clock periods").fill("2..4/0.5")
    expect(page.locator("#estimate")).to_contain_text("5 tasks together")
    expect(page.locator("#estimate")).to_contain_text("Each task is priced by itself")
    page.get_by_label("Top module").fill("")
    expect(bar).to_contain_text("1 thing to mend")
    page.locator("#estimate").get_by_role("link", name="Top module").click()
    expect(page.get_by_label("Top module")).to_be_focused()
