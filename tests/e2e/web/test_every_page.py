"""Every page, for everybody who has one, in both languages and themes: whole, quiet and accessible."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Page, expect

from hpc_portal.app.wiring import build_services
from hpc_portal.web import pages
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City
from tests.e2e.web.every_page import NO_PAGES, Look, furnish


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
    ("locale", "theme", "width"),
    [
        pytest.param("vi", "light", 1280, marks=pytest.mark.xdist_group("browser-every-page-vi")),
        pytest.param("en", "dark", 390, marks=pytest.mark.xdist_group("browser-every-page-en")),
    ],
)
def test_every_page_is_whole_quiet_and_accessible(  # noqa: PLR0913 - fixtures and parameters
    open_page: OpenPage, looks: list[Look], tmp_path: Path, *, locale: str, theme: str, width: int
) -> None:
    by_user = {
        user: open_page(user=user, locale=locale, theme=theme, width=width)
        for user in {x.user for x in looks}
    }
    found = {}
    for number, look in enumerate(looks):
        page = by_user[look.user]
        problems = _problems(page, look, theme)
        page.screenshot(path=tmp_path / f"{number:02}-{locale}-{width}.png", full_page=True)
        if problems:
            found[look.address] = problems
    assert found == {}


def _problems(page: Page, look: Look, theme: str) -> list[Any]:
    answer = page.goto(look.address)
    assert answer
    assert answer.status == 200, look.address
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
    problems: list[Any] = []
    if (wider := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
        problems.append(f"{wider} px wider than the screen")
    return [*problems, *barriers(page)]
