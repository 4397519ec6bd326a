"""Waveforms and curves of a job in the browser: looked at, shared, told to those who see no picture."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from playwright.sync_api import Page, Route, expect

from hpc_portal.app.files.shared_folder import shared_folder
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City
from tests.e2e.web.points import add_job
from tests.small_waves import VCD

pytestmark = pytest.mark.xdist_group("browser-waves")

EVIL = VCD.replace(b"count", "<img/src=x/onerror=alert(1)>\u202e".encode())


@pytest.fixture(scope="module")
def job(city: City) -> UUID:
    """A regression whose first task left a waveform, next to others and to curves."""
    job_id = add_job(city, "rtl-regression", {"name": "fifo", "tests": ["random"], "seeds": 1, "waves": True})
    home = _home(city, job_id)
    for folder in ("waves", "regression/results", "logs"):
        (home / folder).mkdir(parents=True)
    (home / "waves/random-1.fst").write_bytes(VCD)
    (home / "waves/evil.vcd").write_bytes(EVIL)
    (home / "waves/cut.vcd").write_bytes(VCD[:60])
    (home / "logs/random-1.log").write_text("TB_ERROR t=30 mismatch\n")
    facts = (
        "exit_code=1",
        "pass_seen=no",
        "stage=run",
        "fail_line=TB_ERROR t=30 mismatch",
        "fail_line_number=1",
    )
    (home / "regression/results/0").write_text("\n".join(facts) + "\n")
    curve = [{"epoch": epoch, "loss": 1 / (epoch + 1)} for epoch in range(5)]
    (home / "metrics.jsonl").write_text("".join(json.dumps(point) + "\n" for point in curve))
    return job_id


def _home(city: City, job_id: UUID) -> Path:
    return city.settings.effective_workspace_root / f"sao-bien/npu-verif/linh/{job_id}"


def shown(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_from_a_failed_task_to_the_edge_that_matters(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{job}/log?task=0")
    page.get_by_role("link", name="Waves").click()
    values = page.get_by_role("region", name="Values at the cursor")
    count = values.get_by_role("row", name="tb.count")

    expect(count).to_contain_text("xx")
    expect(count).to_contain_text("xx")

    page.get_by_role("list", name="Drawn signals").get_by_role("button", name="count").click()
    page.get_by_label("Values in").select_option("Signed")
    page.get_by_role("button", name="Change after").click()
    expect(count).to_contain_text("-2")
    page.get_by_role("button", name="Change after").click()
    expect(count).to_contain_text("5")
    expect(page.locator("[data-cursor]")).to_have_text("30 ns")
    page.get_by_role("button", name="Change before").click()
    expect(page.get_by_role("status").filter(has_text="tb.count at 10 ns: -2")).to_be_visible()


def test_what_was_told_of_the_cursor_stays_when_the_picture_comes_later(
    open_page: OpenPage, job: UUID
) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{job}/waves?path=waves/random-1.fst&signals=tb.count")
    expect(page.get_by_role("list", name="Drawn signals").get_by_role("button")).to_contain_text("xx")
    late: list[Route] = []
    page.route(re.compile(r"/window\?.*px=(?!1&).*at=10$"), lambda route: late.append(route))  # noqa: PLW0108
    told = page.get_by_role("status").filter(has_text="tb.count at 10 ns: fe")

    page.get_by_role("button", name="Change after").click()
    expect(told).to_be_visible()
    (picture,) = late
    picture.continue_()
    expect(page.locator("[data-cursor]")).to_have_text("10 ns")
    expect(told).to_be_visible()


def test_what_is_shown_stands_in_the_address(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{job}/preview?path=waves/random-1.fst")
    names = page.get_by_role("list", name="Drawn signals").get_by_role("button")
    expect(names).to_have_count(3)

    page.get_by_label("Find signals").fill("dut state")
    page.get_by_role("button", name="Show state").click()
    expect(names).to_have_count(4)
    page.get_by_role("button", name="Move up").click()
    names.filter(has_text="clk").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(names).to_have_count(3)
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_url("**t1=50**")
    address = shown(page)

    assert address["signals"] == ["tb.count", "tb.dut.state", "tb.tick"]
    assert address["path"] == ["waves/random-1.fst"]

    other = open_page(locale="en")
    other.goto(page.url)
    expect(other.get_by_role("list", name="Drawn signals").get_by_role("button")).to_have_count(3)
    expect(other.get_by_role("img", name="Waves of 3 signals from 0 ns to 50 ns")).to_be_visible()


def test_the_keyboard_does_all_of_it(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{job}/waves?path=waves/random-1.fst&signals=tb.clk&signals=tb.count")
    picture = page.locator("canvas")
    cursor = page.locator("[data-cursor]")
    count = page.get_by_role("region", name="Values at the cursor").get_by_role("row", name="tb.count")

    expect(count).to_contain_text("xx")
    picture.focus()
    page.keyboard.press("ArrowRight")
    expect(cursor).to_have_text("10 ns")
    page.keyboard.press("End")
    expect(cursor).to_have_text("100 ns")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    expect(cursor).to_have_text("30 ns")
    page.keyboard.press("r")
    page.keyboard.press("r")
    page.keyboard.press("r")
    expect(count).to_contain_text("00000101")
    page.keyboard.press("+")
    expect(page.get_by_role("img", name="from 15 ns to 65 ns")).to_be_visible()
    page.keyboard.press("0")
    expect(page.get_by_role("img", name="from 0 ns to 100 ns")).to_be_visible()
    page.keyboard.press("Delete")
    expect(page.get_by_role("list", name="Drawn signals").get_by_role("button")).to_have_count(1)


def test_the_pointer_sets_the_cursor_moves_and_zooms(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{job}/waves?path=waves/random-1.fst&signals=tb.clk&signals=tb.count")
    picture = page.locator("canvas")
    expect(picture).to_have_attribute(
        "aria-label",
        "Waves of 2 signals from 0 ns to 100 ns; their values at the cursor are in the table below.",
    )
    drawn = page.get_by_role("list", name="Drawn signals").get_by_role("button", name="count")
    expect(drawn).to_contain_text("xx")  # the edges are there
    box = picture.bounding_box()
    assert box
    y = box["y"] + 28 + 16
    page.mouse.click(box["x"] + box["width"] * 0.2 + 3, y)
    expect(page.locator("[data-cursor]")).to_have_text("20 ns")  # the click meant the edge beside it

    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_url("**t0=25&t1=75**")

    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, y, steps=4)
    page.mouse.up()
    page.wait_for_url("**t0=5&t1=55**")


def test_names_of_signals_do_nothing_and_a_phone_has_room_for_them(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en", theme="dark", width=390)
    page.goto(f"/jobs/{job}/waves?path=waves/evil.vcd")
    drawn = page.get_by_role("list", name="Drawn signals")

    expect(drawn.get_by_role("button", name=r"<img/src=x/onerror=alert(1)>\u202e")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_a_script_there_are_values_and_the_file(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en", javascript=False)
    page.goto(f"/jobs/{job}/waves?path=waves/random-1.fst&signals=sgn:tb.count&signals=tb.gone&at=12")
    over_time = page.get_by_role("region", name="Values over time")

    expect(page.locator("noscript p")).to_be_visible()
    expect(over_time.get_by_role("row", name="tb.count")).to_contain_text("5")
    expect(over_time.get_by_role("row", name="tb.gone")).to_contain_text("not in this file")
    expect(
        page.get_by_role("region", name="Values at the cursor").get_by_role("row", name="tb.count")
    ).to_contain_text("-2")
    page.get_by_role("link", name="tb", exact=True).click()
    page.get_by_role("link", name="dut").click()
    page.get_by_role("link", name="state").click()
    assert shown(page)["signals"] == ["sgn:tb.count", "tb.gone", "tb.dut.state"]


def test_a_file_that_cannot_be_shown_can_be_downloaded(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en", expected=(422,))
    page.goto(f"/jobs/{job}/waves?path=waves/cut.vcd")

    expect(page.get_by_text("it is no waveform that we can read")).to_be_visible()
    expect(page.get_by_role("link", name="Download").first).to_have_attribute(
        "href", f"/jobs/{job}/files/waves/cut.vcd"
    )


def test_metrics_are_drawn(open_page: OpenPage, job: UUID) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{job}/preview?path=metrics.jsonl")

    expect(page.locator(".curve canvas")).to_be_visible()
    page.get_by_text("The numbers as they are written").click()
    expect(page.get_by_text('{"epoch": 0, "loss": 1.0}')).to_be_visible()


def test_a_waveform_among_a_projects_files_is_drawn_as_one_of_a_job(open_page: OpenPage, city: City) -> None:
    folder = shared_folder(organisation="sao-bien", account="npu-verif")
    file = city.settings.effective_workspace_root / folder / "golden/wanted.vcd"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(VCD)
    page = open_page(locale="en")
    page.goto("/projects/npu-verif/files?path=golden")
    page.get_by_role("link", name="wanted.vcd").first.click()
    expect(page).to_have_url(re.compile(r"/projects/npu-verif/waves\?path=golden"))
    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator("[data-names] li").first).to_be_visible()
    page.locator("[data-do=next]").click()
    expect(page.locator("[data-values] tr").first).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_have_attribute(
        "href", "/projects/npu-verif/files/golden/wanted.vcd"
    )
