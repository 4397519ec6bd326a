"""The frame of a page is seen before its content, and stays as it was when the content's styles come."""

from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-frame")
DRAWN = """() => [...document.querySelectorAll('.side, .side *, .top, .top *')].flatMap((one) => {
    const { x, y, width, height } = one.getBoundingClientRect()
    const style = getComputedStyle(one)
    const looks = ['color', 'backgroundColor', 'fontFamily', 'fontSize', 'fontWeight', 'lineHeight',
        'letterSpacing', 'textDecoration', 'textTransform', 'borderTop', 'borderLeft', 'borderBottom',
        'borderTopLeftRadius', 'opacity', 'visibility', 'fill', 'stroke', 'strokeWidth',
    ].map((name) => style[name])
    const isSeen = one.tagName !== 'use' && one.checkVisibility() && width && height
    return isSeen ? [[one.tagName, one.getAttribute('class'), x, y, width, height, ...looks]] : []
})"""
"""Of all of the frame that is seen: where it stands and how it looks. What icons show may come later."""
SEEN = "() => performance.getEntriesByName('first-contentful-paint').length === 1"
HAS_SCRIPTS = "document.documentElement.classList.contains('has-js')"
WITHOUT_STREAM = "/quota"
"""Where no badge of a stream comes into the frame later."""


@pytest.mark.parametrize(
    ("user", "theme", "width"),
    [
        ("linh", "light", 1280),
        ("linh", "dark", 390),
        ("thanhpho", "dark", 1280),
        ("thanhpho", "light", 390),
    ],
)
def test_the_frame_is_seen_first_and_does_not_change(
    open_page: OpenPage, user: str, theme: str, width: int
) -> None:
    page = open_page(user=user, theme=theme, width=width)
    held = _hold(page, "**/{tabler,app}.css")
    page.goto(WITHOUT_STREAM, wait_until="commit")
    page.wait_for_function(SEEN)
    before = page.evaluate(DRAWN)
    assert len(before) > 20
    assert page.locator("main").count() == 0
    assert len(held) == 2
    _let_go(held)
    page.wait_for_load_state("load")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("document.querySelector('.page').hidden = true")  # with it, the page may have a scroll bar
    assert page.evaluate(DRAWN) == before


def test_content_without_its_styles_is_never_seen(open_page: OpenPage) -> None:
    """Also where a browser does not wait for a style sheet in the body: a script there does."""
    page = open_page()
    held = _hold(page, "**/has_js.js")
    page.goto(WITHOUT_STREAM, wait_until="commit")
    page.wait_for_function(SEEN)
    assert page.locator("main").count() == 0
    assert len(held) == 1
    _let_go(held)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate(HAS_SCRIPTS)


def _hold(page: Page, pattern: str) -> list[Route]:
    """The requests of these files, as they come; nothing answers them."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(pattern, keep)
    return held


def _let_go(held: Sequence[Route]) -> None:
    for route in held:
        route.continue_()
