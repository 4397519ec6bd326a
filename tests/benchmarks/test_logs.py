"""Logs of a gigabyte and of 100,000 lines a minute, and 500 live pages: what they cost server and browser."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import psutil
import pytest
from playwright.sync_api import sync_playwright

from hpc_portal.app import events
from hpc_portal.app.db import transact
from hpc_portal.app.events import Event
from tests.benchmarks.portal import TRUE, BenchPortal, running_portal

pytestmark = pytest.mark.benchmark

MEBIBYTE = 1024**2
LINES = int(os.environ.get("HPC_PORTAL_BENCH_LOG_LINES", "10000000"))
"""Of 107 bytes each: a gigabyte."""
LINES_PER_SECOND = 100_000 / 60
SECONDS = 20
READERS = 20
LIVE_CLIENTS = 500
CHROMIUM = "/usr/bin/chromium"
Parameters = Mapping[str, str | int]


@pytest.fixture(scope="module")
def portal() -> Iterator[BenchPortal]:
    with running_portal(with_controller=False) as portal:
        yield portal


def test_a_log_of_a_gigabyte(portal: BenchPortal) -> None:
    job_id, log = _job(portal)
    _fill(log, LINES)
    url, web = f"/api/v1/jobs/{job_id}/log", _web(portal)
    before = web.memory_info().rss
    print(f"\n{log.stat().st_size / 1e9:.2f} GB, {LINES:,} lines")
    windows: tuple[tuple[str, Parameters], ...] = (
        ("the last 1,000 lines, first time: the index is made", {}),
        ("the last 1,000 lines", {}),
        ("1,000 lines in the middle", {"from_line": LINES // 2}),
        ("1,000 lines near the end", {"from_line": LINES - 5000}),
    )
    for what, parameters in windows:
        print(f"{what}: {_milliseconds(portal.client.get, url, params=parameters):,.1f} ms")
    searches: tuple[tuple[str, Parameters], ...] = (
        ("text in the last line", {"search": f"{LINES:09} last"}),
        ("a regular expression", {"search": f"{LINES:09} l[a-z]+t$", "regex": "true"}),
        ("an error that is not there", {"errors": "true"}),
    )
    for what, parameters in searches:
        seconds, requests, longest = _search(portal, url, parameters)
        print(f"{what}: {seconds:.2f} s in {requests} requests, the longest {longest:.2f} s")
    for name, options in (
        ("grep -F", ["-F", f"{LINES:09} last"]),
        ("grep -iE", ["-iE", r"\b(error|fatal|fail)\b"]),
    ):
        milliseconds = _milliseconds(
            lambda given=options: subprocess.run(
                ["grep", *given, log], stdout=subprocess.DEVNULL, check=False
            )
        )
        print(f"{name}: {milliseconds / 1000:.2f} s")
    print(f"memory of the web process: {before / MEBIBYTE:.0f} -> {web.memory_info().rss / MEBIBYTE:.0f} MiB")
    log.unlink()


@pytest.mark.parametrize("readers", [1, READERS])
def test_readers_of_100_000_lines_a_minute(portal: BenchPortal, readers: int) -> None:
    job_id, log = _job(portal)
    log.touch()
    web = _web(portal)
    with _writing(log):
        share, received = asyncio.run(
            _cpu_share(portal, web, f"/api/v1/jobs/{job_id}/log/stream", readers, event=b'"first":')
        )
    memory = web.memory_info().rss / MEBIBYTE
    print(
        f"\n{readers} readers: {share:.1%} of a core, {received / readers:.0f} messages each, "
        f"{memory:.0f} MiB"
    )


def test_a_page_that_follows_100_000_lines_a_minute(portal: BenchPortal) -> None:
    job_id, log = _job(portal)
    _fill(log, 5000)
    web = _web(portal)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--enable-precise-memory-info"])
        context = browser.new_context(
            base_url=portal.url, extra_http_headers={"authorization": f"Bearer {portal.token}"}
        )
        page = context.new_page()
        page.goto(f"/jobs/{job_id}/log")
        devtools = context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.locator(".live[data-is=live]").wait_for()
        print()
        with _writing(log):
            cpu, whole = sum(web.cpu_times()[:2]), time.monotonic()
            for _ in range(3):
                start, began = _metrics(devtools), time.monotonic()
                time.sleep(SECONDS / 2)
                end, seconds = _metrics(devtools), time.monotonic() - began
                shares = ", ".join(
                    f"{name[:-8].lower()} {(end[name] - start[name]) / seconds:.1%}"
                    for name in ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
                )
                devtools.send("HeapProfiler.collectGarbage")
                after = _metrics(devtools)
                print(f"{page.locator('[data-place]').inner_text()}: main thread {shares} of a core")
                print(
                    f"{page.locator('.log-line').count()} lines in the page, {after['Nodes']:,.0f} nodes, "
                    f"heap {after['JSHeapUsedSize'] / MEBIBYTE:.1f} MiB"
                )
            share = (sum(web.cpu_times()[:2]) - cpu) / (time.monotonic() - whole)
            print(f"web process: {share:.1%} of a core")
        browser.close()


@pytest.mark.parametrize("stream", ["/api/v1/events/stream", "/live?jobs=true&also=requests&also=clusters"])
def test_500_live_pages_at_an_event_a_second(portal: BenchPortal, stream: str) -> None:
    job_id, _ = _job(portal)
    web = _web(portal)
    city = portal.city
    told = Event(UUID(job_id), city.chips.project_id, "job.state", {"state": "RUNNING"})

    def tell() -> None:
        transact(
            city.services.engine, lambda connection: events.record(connection, [told], at=datetime.now(UTC))
        )

    with _repeating(tell, every_seconds=1):
        share, received = asyncio.run(_cpu_share(portal, web, stream, LIVE_CLIENTS, event=b"event: job"))
    memory = web.memory_info().rss / MEBIBYTE
    print(
        f"\n{LIVE_CLIENTS} clients of {stream}: {share:.1%} of a core, "
        f"{received / LIVE_CLIENTS:.1f} events each in {SECONDS} s, {memory:.0f} MiB"
    )


def _job(portal: BenchPortal) -> tuple[str, Path]:
    job_id = portal.submit(TRUE)
    root = portal.city.services.settings.effective_workspace_root
    folder = root / "chips-org" / "chips" / "chips-member" / job_id
    folder.mkdir(parents=True)
    return job_id, folder / f"slurm-{job_id}.out"


def _fill(log: Path, lines: int) -> None:
    text = "INFO axi_monitor: burst accepted, id=7 len=15 resp=OKAY, and what else a simulator has to say"
    with log.open("w") as file:
        for start in range(1, lines + 1, 10_000):
            file.writelines(f"{number:09} {text}\n" for number in range(start, min(start + 10_000, lines)))
        file.write(f"{lines:09} last\n")


def _web(portal: BenchPortal) -> psutil.Process:
    port = str(urlsplit(portal.url).port)
    [found] = [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[-1] == port
    ]
    return found


def _milliseconds(work: Callable[..., object], *arguments: object, **named: object) -> float:
    began = time.perf_counter()
    work(*arguments, **named)
    return 1000 * (time.perf_counter() - began)


def _search(portal: BenchPortal, url: str, wanted: Parameters) -> tuple[float, int, float]:
    line, took = 0, list[float]()
    while True:
        began = time.perf_counter()
        found = portal.client.get(f"{url}/search", params={**wanted, "from_line": line, "limit": 1}).json()
        took.append(time.perf_counter() - began)
        line = found["next_line"]
        if found["matches"] or found["is_over"]:
            return sum(took), len(took), max(took)


@contextmanager
def _writing(log: Path) -> Iterator[None]:
    """100,000 lines a minute, in portions of a twentieth of a second."""
    portion = round(LINES_PER_SECOND / 20)
    text = "".join(
        f"\x1b[32mINFO\x1b[0m step {number} loss=0.123 and what else a run has to say\n"
        for number in range(portion)
    )

    def write() -> None:
        with log.open("a") as file:
            file.write(text)

    with _repeating(write, every_seconds=0.05):
        yield


@contextmanager
def _repeating(work: Callable[[], None], *, every_seconds: float) -> Iterator[None]:
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(every_seconds):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    yield
    is_over.set()
    thread.join()


async def _cpu_share(
    portal: BenchPortal, web: psutil.Process, path: str, clients: int, *, event: bytes
) -> tuple[float, int]:
    """The share of a core that the web process takes while so many clients listen, and what they heard."""
    address = urlsplit(portal.url)
    head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {portal.token}\r\n\r\n".encode()
    heard = 0

    async def listen() -> None:
        nonlocal heard
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head)
        try:
            while piece := await reader.read(2**16):
                heard += piece.count(event)
        finally:
            writer.close()

    listeners = [asyncio.create_task(listen()) for _ in range(clients)]
    await asyncio.sleep(5 + clients / 50)
    heard, start = 0, sum(web.cpu_times()[:2])
    await asyncio.sleep(SECONDS)
    share = (sum(web.cpu_times()[:2]) - start) / SECONDS
    total = heard
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    return share, total


def _metrics(devtools: object) -> dict[str, float]:
    found = devtools.send("Performance.getMetrics")["metrics"]  # type: ignore[attr-defined]
    return {item["name"]: item["value"] for item in found}
