"""The frame of a page is seen before its content, and stays as it was when the content's styles come."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.web.browser import OpenPage

pytestmark = pytest.mark.xdist_group("browser-frame")
DRAWN = """() => [...document.querySelectorAll('.side, .side *, .top, .top *')].flatMap((one) => {
    const { x, y, width, height } = one.getBoundingClientRect()
    const style = getComputedStyle(one)
    const seen = ['color', 'backgroundColor', 'fontFamily', 'fontSize', 'fontWeight', 'lineHeight', 'letterSpacing',
        'textDecoration', 'textTransform', 'borderTop', 'borderLeft', 'borderBottom', 'borderTopLeftRadius', 'opacity',
        'visibility', 'fill', 'stroke', 'strokeWidth'].map((name) => style[name])
    return one.checkVisibility() && width && height ? [[one.tagName, one.className, x, y, width, height, ...seen]] : []
})"""
"""Of all of the frame that is seen: where it stands and how it looks."""
SEEN = "() => performance.getEntriesByName('first-contentful-paint').length === 1"
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
    held: list[Route] = []
    for styles in ("tabler", "app"):
        page.route(f"**/{styles}.css", lambda route: held.append(route))
    page.goto(WITHOUT_STREAM, wait_until="commit")
    page.wait_for_function(SEEN)
    before = page.evaluate(DRAWN)
    assert len(before) > 20
    assert page.locator("main").count() == 0
    assert len(held) == 2
    for route in held:
        route.continue_()
    page.wait_for_load_state("load")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate("document.querySelector('.page').hidden = true")  # with it, the page may have a scroll bar
    assert page.evaluate(DRAWN) == before


def test_content_without_its_styles_is_never_seen(open_page: OpenPage) -> None:
    """Also where a browser does not wait for a style sheet in the body: a script there does."""
    page = open_page()
    held: list[Route] = []
    page.route("**/has_js.js", lambda route: held.append(route))
    page.goto(WITHOUT_STREAM, wait_until="commit")
    page.wait_for_function(SEEN)
    assert page.locator("main").count() == 0
    [script] = held
    script.continue_()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert _has_script_before_content(page)


def _has_script_before_content(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.classList.contains('has-js')"))
