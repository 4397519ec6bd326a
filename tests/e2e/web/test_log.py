"""The log page in a browser: it stays at the end of what a job writes, and with its reader otherwise."""

import re
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Connection, update
from sqlmodel import col

from hpc_portal.app import events, outages
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import ClusterPart, Job
from schedulers.jobstate import JobState
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import PASSWORD, City
from tests.e2e.web.test_changes import submit
from tests.e2e.web.test_live import is_untouched, opened, set_node, with_city
from tests.portal_processes import OPERATOR, Processes, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("browser-log")

JOB = "ocr-vi-finetune"
NOTE_STREAMS = """
window.streams = []
window.EventSource = class extends EventSource {
  constructor(...facts) { super(...facts); window.streams.push(this) }
}"""
OPEN_STREAMS = """window.streams.filter(({ readyState }) => readyState !== EventSource.CLOSED)
  .map(({ url }) => new URL(url).pathname)"""


def _write(city: City, lines: Iterable[str]) -> Path:
    log = city.log_of(JOB)
    log.write_text("".join(f"{line}\n" for line in lines))
    return log


def _open(open_page: OpenPage, city: City, part: str = "") -> Page:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs[JOB]}/log{part}")
    expect(page.locator(".live")).to_contain_text("Live")
    return page


def _tall(city: City) -> Path:
    """A log whose lines fill many rows each, so that it is far taller than a browser could guess."""
    return _write(city, (f"{number} {'word ' * 200}" for number in range(1, 901)))


def _add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_log_appears_as_soon_as_the_job_writes_it(open_page: OpenPage, city: City) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['sta-tt-25c']}/log")
    expect(page.get_by_text("Waiting for more lines…")).to_be_visible()
    city.log_of("sta-tt-25c").write_text("the very first line\nand a bar: 10 %\r90 %")
    expect(page.locator("#L1")).to_contain_text("the very first line")
    expect(page.locator(".log-partial")).to_have_text("290 %")


def test_layout_that_shifts_is_not_taken_for_the_reader(open_page: OpenPage, city: City) -> None:
    log = _tall(city)
    page = _open(open_page, city)
    expect(page.locator(".log-end")).to_be_in_viewport()
    page.locator(".log-lines").evaluate("lines => { lines.style.fontSize = '18px' }")  # as a larger text does
    expect(page.locator(".log-end")).to_be_in_viewport()
    _add(log, "the newest line\n")
    expect(page.get_by_text("the newest line")).to_be_in_viewport()
    expect(page.get_by_text("the newest line")).to_have_count(1)


def test_a_reader_who_moves_up_is_left_alone(open_page: OpenPage, city: City) -> None:
    log = _tall(city)
    page = _open(open_page, city)
    expect(page.locator(".log-end")).to_be_in_viewport()
    page.locator(".log").hover()
    page.mouse.wheel(0, -3000)
    to_end = page.get_by_role("button", name="To the end")
    expect(to_end).to_be_visible()
    _add(log, "the newest line\n")
    expect(to_end).to_have_text("To the end (1 new lines)")
    expect(page.get_by_text("the newest line")).not_to_be_in_viewport()
    to_end.click()
    expect(page.get_by_text("the newest line")).to_be_in_viewport()
    expect(to_end).to_be_hidden()


def test_any_line_of_a_long_log_can_be_linked_to_and_read_on_from(open_page: OpenPage, city: City) -> None:
    _write(city, (f"line {number}" for number in range(1, 200_001)))
    page = _open(open_page, city, "#L100000")
    expect(page.locator("#L100000")).to_be_in_viewport()
    expect(page.locator("#L100000")).to_have_class(re.compile("target"))
    log = page.locator(".log")
    for distance in (1e7, -1e7, 1e7, 1e7, 1e7, 1e7):  # to either end of what is in the page: more is loaded
        shown = page.locator("[data-place]").inner_text()
        log.evaluate(f"box => box.scrollBy(0, {distance})")
        expect(page.locator("[data-place]")).not_to_have_text(shown)
    numbers = [int(text) for text in page.locator(".log-lines .log-line > a").all_inner_texts()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) <= 2250  # the window of lines, and the page that was loaded last
    assert page.locator(f"#L{numbers[0]} > span").inner_text() == f"line {numbers[0]}"


def test_errors_and_words_are_found_in_the_whole_log(open_page: OpenPage, city: City) -> None:
    texts = [f"step {number} 0 errors" for number in range(1, 30_001)]
    texts[4_000] = "\x1b[31mTB_ERR\x1b[0mOR level mismatch"
    texts[20_000] = "fatal: out of tokens"
    _write(city, texts)
    page = _open(open_page, city)
    target = page.locator(".log-line.target")
    page.get_by_role("link", name="First error").click()
    expect(target).to_have_text("4001TB_ERROR level mismatch")
    page.get_by_role("link", name="Next error").click()
    expect(target).to_have_text("20001fatal: out of tokens")
    page.get_by_role("searchbox", name="Find in the whole log").fill("step 12345 ")
    page.keyboard.press("Enter")
    expect(target).to_have_text("12345step 12345 0 errors")
    expect(page.locator("#log-found")).to_contain_text("after starting over from the other end")
    page.locator(".log").focus()
    page.keyboard.press("Shift+E")
    expect(target).to_have_text("4001TB_ERROR level mismatch")
    page.keyboard.press("Shift+G")
    expect(page.locator("#L30000")).to_be_in_viewport()


def test_a_pattern_that_is_none_is_refused_in_words(open_page: OpenPage, city: City) -> None:
    _write(city, ["aaaa"])
    page = open_page(locale="en", expected=(422,))
    page.goto(f"/jobs/{city.jobs[JOB]}/log")
    page.get_by_role("checkbox", name="Regex").check()
    page.get_by_role("searchbox", name="Find in the whole log").fill("(a+")
    page.keyboard.press("Enter")
    expect(page.locator("#log-found")).to_have_text("RE2 cannot read this pattern: missing ): (a+.")


def test_colours_are_shown_and_markup_is_text(open_page: OpenPage, city: City) -> None:
    red, orange = "\x1b[1;31m", "\x1b[38;2;255;140;0m"
    _write(city, [f"{red}bold\x1b[0m {orange}orange\x1b[m <img src=x onerror=alert(1)>\x00\x1b]0;title\x07"])
    page = _open(open_page, city)
    line = page.locator("#L1 > span")
    expect(line).to_have_text("bold orange <img src=x onerror=alert(1)>␀")
    expect(line.locator("i.b.fg1")).to_have_text("bold")
    expect(line.get_by_text("orange", exact=True)).to_have_css("color", "rgb(255, 140, 0)")
    assert page.locator(".log img").count() == 0


def test_a_log_is_read_and_searched_without_scripts(open_page: OpenPage, city: City) -> None:
    _write(city, (f"line {number}" for number in range(1, 3001)))
    page = open_page(locale="en", javascript=False)
    page.goto(f"/jobs/{city.jobs[JOB]}/log")
    expect(page.locator("#L3000")).to_have_text("3000line 3000")
    page.get_by_role("link", name="Show older lines").click()
    expect(page.locator("#L2500")).to_have_text("2500line 2500")
    page.get_by_label("Find in the whole log").fill("line 1234")
    page.get_by_role("button", name="Find next").click()
    expect(page.locator(".log-line.target")).to_have_text("1234line 1234")
    page.get_by_label("Line", exact=True).fill("7")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".log-line.target")).to_have_text("7line 7")


def test_a_page_misses_and_repeats_nothing_when_the_server_is_replaced(
    browser: Browser, city: City, tmp_path: Path
) -> None:
    log = _write(city, (f"line {number}" for number in range(1, 101)))
    port = free_port()
    with Processes(tmp_path, {"HPC_PORTAL_STATE_DIR": str(city.settings.state_dir)}) as processes:
        processes.start("web", *OPERATOR, "web", "--port", str(port))
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{port}", viewport={"width": 1280, "height": 1000}
        )
        page = context.new_page()
        wait_until(lambda: _answers(port), what="the web process")
        page.goto("/sign-in")
        page.locator("#username").fill("linh")
        page.locator("#password").fill(PASSWORD)
        page.locator("main button").click()
        page.goto(f"/jobs/{city.jobs[JOB]}/log")
        expect(page.locator(".live")).to_have_attribute("data-is", "live")
        _add(log, "line 101\nline 102\n")
        expect(page.locator("#L102")).to_be_in_viewport()
        processes.kill("web")
        expect(page.locator(".live")).to_have_attribute("data-is", "waiting")
        _add(log, "line 103\nline 104 is not wh")
        processes.start("web")
        _add(log, "ole\nline 105\n")
        expect(page.locator("#L105")).to_be_in_viewport()
        texts = page.locator(".log-lines .log-line > span").all_inner_texts()
        context.close()
    wanted = [f"line {number}" for number in range(1, 106)]
    wanted[103] = "line 104 is not whole"
    assert texts == wanted


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_jobs_head_follows_a_hold_that_somebody_asks_for_elsewhere(open_page: OpenPage) -> None:
    page, elsewhere = open_page(locale="en"), open_page(locale="en", javascript=False)
    submit(elsewhere, "watched by its log")
    page.goto(f"{elsewhere.url}/log")
    expect(page.locator(".live")).to_contain_text("Live")
    state = page.locator("[data-part=head] [data-state]")
    elsewhere.get_by_role("button", name="Hold").click()
    expect(state).to_contain_text("On hold")
    elsewhere.get_by_role("button", name="Release").click()
    expect(state).to_contain_text("Queued")


def test_the_top_of_a_page_follows_by_the_stream_of_its_log_and_after_its_end_by_its_own(
    open_page: OpenPage, city: City
) -> None:
    page, elsewhere = open_page(locale="en"), open_page(locale="en", javascript=False)
    submit(elsewhere, "ends while its log is read")
    address = f"{elsewhere.url}/log"
    job = UUID(elsewhere.url[-36:])
    page.add_init_script(NOTE_STREAMS)
    opened(page, address)
    assert page.evaluate(OPEN_STREAMS) == [f"/jobs/{job}/log/live"]
    left = page.locator("[data-part=left]").inner_text()
    lost = datetime.now(UTC)
    with_city(city, lambda to: outages.begin(to, "danang", ClusterPart.SCHEDULER, "refused", at=lost))
    try:
        expect(page.locator("#troubles")).to_contain_text("The cluster danang has not answered since")
        submit(elsewhere, "costs something")
        expect(page.locator("[data-part=left]")).not_to_have_text(left)
        with_city(city, lambda connection: end_job(connection, city, job))
        expect(page.locator(".log-end")).to_have_text("End of the log")
        expect(page.locator(".head .state")).to_contain_text("Completed")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert page.evaluate(OPEN_STREAMS) == ["/live"]
    finally:
        with_city(city, lambda connection: outages.end(connection, "danang", ClusterPart.SCHEDULER))
        set_node(city)  # it reports anew: of a cluster that was silent for two minutes every page says so
    expect(page.locator("#troubles .alert-box")).to_have_count(0)
    assert is_untouched(page)


def end_job(connection: Connection, city: City, job: UUID) -> None:
    values = {"phase": Phase.ENDED, "state": JobState.COMPLETED, "ended_at": datetime.now(UTC)}
    connection.execute(update(Job).where(col(Job.id) == job).values(values))
    told = Event(job, city.projects["npu-verif"], "job.state", {"state": JobState.COMPLETED})
    events.record(connection, [told], at=datetime.now(UTC))
