"""What a page weighs and when it is first seen in Chromium, by somebody who has the browser open.

Every look is a new browser context: nothing of the portal is in the HTTP cache, all files come over the wire.

- In a **running** renderer: the tab showed a bare page of the same server before (a heading, and no file that
  ours use). Its process is there, and one connection is open. So it is for a visitor: Chromium keeps a spare
  renderer ready, though not for a context that is a moment old.
- In a **new** renderer: the tab showed nothing, and Chromium first starts a process for the page. What that
  takes is the browser's and the machine's.
- The **bare** page itself, measured in both ways just before: no page can be faster than it.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser

BARE = "/bare/page"
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
    return statistics.median(_look(browser, url, cookies, [BARE, address])[0] for _ in range(times))


def _open(
    browser: Browser, url: str, cookies: Mapping[str, str], address: str, times: int
) -> tuple[Paint, float]:
    """When it is seen, and its bytes."""
    running = [_look(browser, url, cookies, [BARE, address]) for _ in range(times)]
    new = [_look(browser, url, cookies, [address]) for _ in range(times)]
    paint = Paint(*(statistics.median(paint for paint, _ in looks) for looks in (running, new)))
    return paint, statistics.median(weight for _, weight in new)


def _look(
    browser: Browser, url: str, cookies: Mapping[str, str], addresses: Sequence[str]
) -> tuple[float, float]:
    """One page after the other in a new context: paint and bytes of the last."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 844})
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    for earlier in addresses[:-1]:
        page.goto(earlier, wait_until="load")
    transferred = 0.0

    def finished(event: dict[str, Any]) -> None:
        nonlocal transferred
        transferred += event["encodedDataLength"]

    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", finished)
    page.goto(addresses[-1], wait_until="load")
    paint = float(page.evaluate(_FIRST_PAINT))
    if len(addresses) == 1:
        page.wait_for_timeout(_SETTLED_MS)
    context.close()
    return paint, transferred
