"""A real server on a seeded city, and a browser that fails a test on any error it reports."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD, City, build_city
from tests.e2e.web.serve import served

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MILLISECONDS = 30_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return build_city(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def portal(city: City) -> Iterator[str]:
    with served(city.settings) as address:
        yield address


@pytest.fixture(scope="module")  # not session: while Playwright runs, no other test can run an event loop
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def states(portal: str, browser: Browser) -> dict[str, Any]:
    """The cookies of each person, signed in; no page is drawn for it, which costs a browser seconds."""
    found: dict[str, Any] = {}
    for username in ("linh", "minh", "thanhpho", "lan"):
        context = browser.new_context(base_url=portal)
        form: dict[str, str | float | bool] = {"username": username, "password": PASSWORD}
        context.request.post("/sign-in", form=form, max_redirects=0)
        found[username] = context.storage_state()
        context.close()
    return found


@pytest.fixture
def open_page(portal: str, browser: Browser, states: dict[str, Any]) -> Iterator[OpenPage]:
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_one(  # noqa: PLR0913 - as OpenPage says
        *,
        user: str | None = "linh",
        locale: str = "vi",
        theme: str = "light",
        width: int = 1280,
        javascript: bool = True,
        expected: tuple[int, ...] = (),
    ) -> Page:
        context = browser.new_context(
            base_url=portal,
            viewport={"width": width, "height": 844},
            java_script_enabled=javascript,
            storage_state=states[user] if user else None,
            locale="fr-FR",
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.add_cookies(
            [
                {"name": "locale", "value": locale, "url": portal},
                {"name": "theme", "value": theme, "url": portal},
            ]
        )
        contexts.append(context)
        page = context.new_page()
        note_complaints(page, complaints, expected=expected)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def note_complaints(
    page: Page, complaints: list[str], *, expected: tuple[int | str, ...] = (), of: str = ""
) -> None:
    """Note what the browser finds wrong with this page from now on.

    Args:
        page: watched as long as it is open.
        complaints: gets a line for each error and warning; every breach of the security policy is one.
        expected: statuses of answers of which it may complain, or what else it may say.
        of: where the portal is, for a page that is also led to others' pages, which may do as they like.
    """

    def note(message: ConsoleMessage) -> None:
        is_ours = message.location["url"].startswith(of)
        texts = (one if isinstance(one, str) else f"status of {one}" for one in expected)
        is_expected = any(text in message.text for text in texts)
        if message.type in {"error", "warning"} and is_ours and not is_expected:
            complaints.append(f"{message.type}: {message.text} at {message.location}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
