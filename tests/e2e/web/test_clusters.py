"""The map of a cluster and the settings in a real browser: what leads where, and what is remembered."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser")


def test_the_map_is_filtered_in_the_address_and_has_a_table_twin(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="en")
    page.goto("/clusters/danang")
    expect(page.locator(".node-tile")).to_have_count(4)
    page.get_by_role("link", name=re.compile("^Drained")).click()
    expect(page).to_have_url(f"{portal}/clusters/danang?state=drained")
    expect(page.locator(".node-tile")).to_have_count(1)
    page.get_by_role("link", name="Table").click()
    row = page.get_by_role("row", name=re.compile("dn-gpu04"))
    expect(row).to_contain_text("H100: 6 others', 2 drained")
    page.get_by_role("searchbox", name="Node").fill("no-such-node")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("main")).to_contain_text("No node fits this filter")
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("row", name=re.compile("dn-gpu"))).to_have_count(4)
    assert barriers(page) == []


def test_what_others_run_has_no_name_on_the_map(open_page: OpenPage, city: City) -> None:
    for user, secret in (("linh", "secret-core"), ("minh", "fifo-regression")):
        page = open_page(user=user, locale="en", javascript=False)
        for address in ("/clusters", "/clusters/danang?view=table"):
            page.goto(address)
            expect(page.locator("main")).to_contain_text("Others'")
            assert secret not in page.content()
            assert str(city.jobs[secret]) not in page.content()


def test_how_one_is_told_is_chosen_on_the_settings_page(open_page: OpenPage) -> None:
    page = open_page(locale="en", javascript=False, expected=(422,))
    page.goto("/settings#notices")
    page.get_by_label("My jobs fail: In the portal").check()
    page.get_by_label("My jobs fail: By mail").select_option("Once a day")
    page.locator("#notices").get_by_role("button", name="Save").click()
    expect(page.locator("main").get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_label("My jobs fail: In the portal")).to_be_checked()
    expect(page.get_by_label("My jobs fail: By mail")).to_have_value("daily")
    page.get_by_label("Address that notices are posted to").fill("https://10.0.0.7/hook")
    page.locator("#webhook").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Webhooks do not go to private addresses.")


def test_the_guide_is_read_in_the_portal_and_found_by_its_words(open_page: OpenPage, portal: str) -> None:
    page = open_page(locale="en")
    page.goto("/requests")
    page.get_by_role("link", name="Help on this page").click()
    expect(page).to_have_url(f"{portal}/help/guide/ask-for-quota")
    page.keyboard.press("Control+k")
    page.keyboard.type("webhook")
    expect(page.get_by_role("option", name=re.compile("Notices and webhooks"))).to_be_visible()
