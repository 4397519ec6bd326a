"""Every page, for everybody who has one, in both languages and themes: whole, quiet, light and accessible."""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Page, expect

from hpc_portal.app.wiring import build_services
from hpc_portal.web import pages
from tests.e2e.web.accessible import barriers, bring_axe
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City
from tests.e2e.web.every_page import NO_PAGES, Look, furnish

DESK, PHONE, HEIGHT = 1280, 390, 844
MOST_BYTES = 130_000
"""Compressed, with style sheets and scripts; see docs/benchmarks.md."""
WIDER = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
    done(document.documentElement.scrollWidth - innerWidth))))"""
"""Once what is drawn by scripts was told of the new width, which is with the next frame."""
WEIGHT = """() =>
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .reduce((sum, one) => sum + one.encodedBodySize + 300, 0)"""
"""As stored, also of what the cache had; about 300 bytes are headers."""


@pytest.fixture(scope="module", autouse=True)  # before Playwright, in whose thread no other loop may run
def looks(city: City) -> list[Look]:
    """The furnished city's pages."""
    services = build_services(city.settings)
    try:
        return furnish(city, services)
    finally:
        services.commits.close()
        services.engine.dispose()


@pytest.mark.xdist_group("browser-every-page-vi")
def test_no_page_is_forgotten(looks: list[Look]) -> None:
    routes = {
        route.path
        for module in pages.ROUTERS
        for route in module.router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    }
    assert {look.route for look in looks} | set(NO_PAGES) == routes


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("locale", "on_a_desk", "on_a_phone"),
    [
        pytest.param("vi", "light", "dark", marks=pytest.mark.xdist_group("browser-every-page-vi")),
        pytest.param("en", "dark", "light", marks=pytest.mark.xdist_group("browser-every-page-en")),
    ],
)
def test_every_page_is_whole_quiet_light_and_accessible(
    open_page: OpenPage, looks: list[Look], *, locale: str, on_a_desk: str, on_a_phone: str
) -> None:
    """Four looks of eight, so that any two of language, theme and width meet on every page."""
    by_user = {}
    for user in {look.user for look in looks}:
        by_user[user] = open_page(user=user, locale=locale, theme=on_a_desk, width=DESK)
        by_user[user].emulate_media(reduced_motion="reduce")  # no colour is seen half way to another
        bring_axe(by_user[user])
    found = {look.address: _problems(by_user[look.user], look, on_a_desk, on_a_phone) for look in looks}
    assert {address: problems for address, problems in found.items() if problems} == {}


def _problems(page: Page, look: Look, on_a_desk: str, on_a_phone: str) -> list[Any]:
    answer = page.goto(look.address)
    assert answer
    if answer.status != 200:
        return [f"status {answer.status}"]
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", on_a_desk)
    weight = page.evaluate(WEIGHT)
    problems = [f"{weight / 1000:.0f} kB with an empty cache"] if weight > MOST_BYTES else []
    problems += _seen_at(page, DESK)
    page.evaluate("theme => { document.documentElement.dataset.bsTheme = theme }", on_a_phone)
    problems += _seen_at(page, PHONE)
    page.set_viewport_size({"width": DESK, "height": HEIGHT})
    return problems


def _seen_at(page: Page, width: int) -> list[Any]:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    wider = page.evaluate(WIDER)
    return [*barriers(page), *([f"{wider} px wider than a screen of {width}"] if wider > 0 else [])]
