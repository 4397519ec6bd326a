"""Pages of a campaign of 100,000 tasks: server time, weight, time until drawn, and memory of the browser."""

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, sync_playwright

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.wiring import build_services
from hpc_portal.asgi import create_app
from tests.e2e.web.city import NOW, PASSWORD, City, build_city
from tests.seeded_campaign import Owner, Shape, seed_campaign

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

CHROMIUM = "/usr/bin/chromium"
SHAPES = (Shape(tests=100, seeds=100), Shape(tests=1000, seeds=100))
ASKED = 7
PARTS = ("", "/matrix", "?only=failing", "/results", "/history", "/changes?after=0")


@pytest.fixture
def city(tmp_path: Path) -> City:
    return build_city(tmp_path)


@pytest.fixture
def portal(city: City) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    services = build_services(city.settings)
    server = uvicorn.Server(uvicorn.Config(create_app(services), log_config=None, access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), name="portal")
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()
    services.engine.dispose()


def seed(city: City, shape: Shape) -> UUID:
    """Two nights of one name; the second, of which other tasks fail."""
    organisation, project = city.organisations["sao-bien"], city.projects["npu-verif"]
    owner = Owner(organisation, project, city.users["linh"], "danang")
    name = f"nightly-{shape.tests}x{shape.seeds}"
    engine = create_engine(city.settings.effective_database_url)

    def night(shift: int) -> UUID:
        night_shape = Shape(shape.tests, shape.seeds, shift, name=name)
        at = NOW + timedelta(days=shift)
        return transact(engine, lambda connection: seed_campaign(connection, owner, night_shape, at=at))

    ids = [night(0), night(1)]
    engine.dispose()
    return ids[1]


def test_a_campaign_of_100_000_tasks(city: City, portal: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = {shape: seed(city, shape) for shape in SHAPES}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--enable-precise-memory-info", "--js-flags=--expose-gc"]
        )
        context = browser.new_context(base_url=portal, viewport={"width": 1280, "height": 844})
        page = context.new_page()
        page.goto("/sign-in")
        page.locator("#username").fill("linh")
        page.locator("#password").fill(PASSWORD)
        page.locator("main button").click()
        page.wait_for_url(f"{portal}/")
        cookies = {one["name"]: one["value"] for one in context.cookies()}
        lines = []
        for shape, campaign in found.items():
            lines.append(f"\n## {shape.tests} tests x {shape.seeds} seeds")
            with httpx.Client(base_url=portal, cookies=cookies, timeout=120) as client:
                lines += [server_line(client, f"/campaigns/{campaign}{part}", part) for part in PARTS]
            lines.append(browser_line(page, f"/campaigns/{campaign}"))
        browser.close()
    with capsys.disabled():
        print("\n".join(lines))


def server_line(client: httpx.Client, address: str, part: str) -> str:
    """The first answer, the median of the next ones with their processor time, and the weight of one.

    Processor time is of server and client, which share this process; it says more on a busy machine.
    """
    times, busy = [], []
    for _ in range(1 + ASKED):
        began, worked = time.perf_counter(), time.process_time()
        answer = client.get(address)
        answer.raise_for_status()
        times.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - worked) * 1000)
    weight = len(answer.content) / 1000
    return (
        f"{part or '(page)':18} first {times[0]:8.1f} ms (CPU {busy[0]:7.1f})   "
        f"then {statistics.median(times[1:]):8.1f} ms (CPU {statistics.median(busy[1:]):7.1f})   "
        f"{weight:8.1f} kB"
    )


def browser_line(page: Page, address: str) -> str:
    """Until the matrix is there for the eye; heap after a collection."""
    began = time.perf_counter()
    page.goto(address)
    page.locator("[data-matrix='canvas'][aria-busy='false'], table.matrix").wait_for()
    drawn = (time.perf_counter() - began) * 1000
    nodes = page.evaluate("document.querySelectorAll('*').length")
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
    return f"{'in the browser':18} drawn after {drawn:.0f} ms   {nodes} elements   heap {heap:.1f} MiB"
