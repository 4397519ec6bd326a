"""What a page weighs and when it is first seen in Chromium, by somebody who has the browser open.

Every look is a new browser context: nothing of the portal is in the HTTP cache, all files come over the wire.

- In a **running** renderer: the tab showed a bare page of the same server before (a heading, and no file that
  ours use), for a second, in which Chromium ends what it does for a new context. Its process is there, and
  one connection is open. So it is for a visitor: Chromium keeps a spare renderer ready, though not for a
  context that is a moment old.
- In a **new** renderer: the tab showed nothing, and Chromium first starts a process for the page. What that
  takes is the browser's and the machine's. The page is weighed in these looks: to count takes time, too.
- The **bare** page itself, measured in both ways just before: no page can be faster than it.
"""

import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

BARE = "/bare/page"
_RESTED_MS = 1000
"""Between a new context's first page and the measured one. Its start takes 400 ms of CPU, of two cores."""
_SETTLED_MS = 200
"""After `load`, where a page is weighed: with what its scripts fetch then."""
_FIRST_PAINT = """() => new Promise(done => {
    const read = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
    if (read()) return done(read());
    new PerformanceObserver(() => read() && done(read())).observe({type: 'paint', buffered: true});
})"""


@dataclass(frozen=True)
class Paint:
    """From the start of the navigation to the first contentful paint: medians, in milliseconds."""

    running: float
    new: float


@dataclass(frozen=True)
class Opened:
    """A page, and the bare page beside it."""

    weight_kb: float
    """Headers and bodies over the wire, in 1,000 bytes."""
    paint: Paint
    bare: Paint


def open_page(browser: Browser, url: str, cookies: Mapping[str, str], address: str, times: int) -> Opened:
    """Look at both pages so many times in either renderer."""
    bare, _ = _open(browser, url, cookies, BARE, times)
    paint, weight = _open(browser, url, cookies, address, times)
    return Opened(weight / 1000, paint, bare)


def paint_running(browser: Browser, url: str, cookies: Mapping[str, str], address: str, times: int) -> float:
    """The paint in a running renderer alone, in milliseconds: a median."""
    return statistics.median(_look_running(browser, url, cookies, address) for _ in range(times))


def _open(
    browser: Browser, url: str, cookies: Mapping[str, str], address: str, times: int
) -> tuple[Paint, float]:
    """When it is seen, and its bytes."""
    running = paint_running(browser, url, cookies, address, times)
    new = [_look_new(browser, url, cookies, address) for _ in range(times)]
    paint = Paint(running, statistics.median(paint for paint, _ in new))
    return paint, statistics.median(weight for _, weight in new)


def _look_running(browser: Browser, url: str, cookies: Mapping[str, str], address: str) -> float:
    with _tab(browser, url, cookies) as page:
        page.goto(BARE, wait_until="load")
        page.wait_for_timeout(_RESTED_MS)
        page.goto(address, wait_until="load")
        return float(page.evaluate(_FIRST_PAINT))


def _look_new(browser: Browser, url: str, cookies: Mapping[str, str], address: str) -> tuple[float, float]:
    """Paint and bytes."""
    with _tab(browser, url, cookies) as page:
        transferred = 0.0

        def finished(event: dict[str, Any]) -> None:
            nonlocal transferred
            transferred += event["encodedDataLength"]

        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", finished)
        page.goto(address, wait_until="load")
        paint = float(page.evaluate(_FIRST_PAINT))
        page.wait_for_timeout(_SETTLED_MS)
        return paint, transferred


@contextmanager
def _tab(browser: Browser, url: str, cookies: Mapping[str, str]) -> Iterator[Page]:
    """Of a new context."""
    with browser.new_context(base_url=url, viewport={"width": 1280, "height": 844}) as context:
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
        yield context.new_page()
