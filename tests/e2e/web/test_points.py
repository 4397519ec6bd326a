"""Pages of a sweep and of corners in the browser, on what templates parse from workspaces."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import expect
from sqlalchemy import Connection, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.events import Event
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City
from tests.e2e.web.points import SPACE, TRIALS, add_corners, add_job, add_sweep, write

pytestmark = pytest.mark.xdist_group("browser-points")


@pytest.fixture(scope="module")
def sweep(city: City) -> UUID:
    return add_sweep(city)


@pytest.fixture(scope="module")
def corners(city: City) -> UUID:
    return add_corners(city)


def test_a_sweep_is_brushed_by_mouse_and_by_numbers_and_its_best_trial_named(
    open_page: OpenPage, sweep: UUID, tmp_path: Path
) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{sweep}")
    page.get_by_role("link", name="Compare trials").click()
    expect(page.locator("[data-best]")).to_contain_text(f"Trial {TRIALS - 1}")
    rows = page.locator("[data-trial]:visible")
    expect(rows).to_have_count(TRIALS)
    expect(page.locator("[data-chosen]")).to_have_text(f"{TRIALS} of {TRIALS} trials")
    told = page.request.get(f"/api/v1/jobs/{sweep}/sweep").json()
    assert (told["best"]["task_index"], len(told["trials"])) == (TRIALS - 1, TRIALS)
    page.screenshot(path=tmp_path / "sweep-en-1280.png", full_page=True)
    assert barriers(page) == []
    page.locator("summary", has_text="Choose by numbers").click()
    page.get_by_label("optimiser").select_option("adam")
    expect(rows).to_have_count(TRIALS // 2)
    page.get_by_label("val_acc, from").fill("0.7")
    expect(rows).to_have_count(2)  # 21 and 23
    page.get_by_role("button", name="All trials").click()
    expect(rows).to_have_count(TRIALS)

    canvas = page.locator(".parallel canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    last = box["x"] + box["width"] - 56
    page.mouse.move(last, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(last, box["y"] + 156)  # the upper half of the objective
    page.mouse.up()
    expect(rows).to_have_count(TRIALS // 2)
    expect(rows.first).to_have_attribute("data-trial", str(TRIALS - 1))
    page.screenshot(path=tmp_path / "brushed-en-1280.png", full_page=True)
    page.mouse.click(last, box["y"] + 100)
    expect(rows).to_have_count(TRIALS)


def test_trials_come_to_a_page_that_was_opened_before_the_first_began(
    open_page: OpenPage, city: City
) -> None:
    running = {"phase": Phase.TRACKED, "state": JobState.RUNNING, "ended_at": None, "settled_at": None}
    parameters = {"space": SPACE, "trials": TRIALS}
    job_id = add_job(city, "training-sweep", parameters, **running, tasks_completed=0)
    page = open_page(locale="en")
    page.goto(f"/jobs/{job_id}/sweep")
    expect(page.locator(".live")).to_contain_text("Live")
    expect(page.locator("main")).to_contain_text("No trial has begun yet.")
    expect(page.locator(".parallel")).to_be_hidden()
    page.evaluate("document.body.dataset.mark = 'never loaded again'")
    rows = page.locator("[data-trial]:visible")
    for count, optimiser in enumerate(("sgd", "adam"), start=1):
        values = {"learning_rate": 0.01 * count, "hidden_units": 32 * count, "optimiser": optimiser}
        result = {"values": values, "points": [[1, 0.5]], "best": 0.5 + count / 10, "end": "done"}
        write(city, "training-sweep", f"results/{count - 1}.json", json.dumps(result))
        tell_ended(city, job_id, count)
        expect(rows).to_have_count(count)
        expect(page.locator("[data-chosen]")).to_have_text(f"{count} of {count} trials")
        expect(page.locator("[data-best]")).to_contain_text(f"Trial {count - 1}")
    expect(page.locator(".parallel canvas")).to_have_attribute("width", re.compile("^[1-9]"))
    page.locator("summary", has_text="Choose by numbers").click()
    page.get_by_label("optimiser").select_option("adam")
    expect(rows).to_have_count(1)
    assert page.evaluate("document.body.dataset.mark") == "never loaded again"


def tell_ended(city: City, job_id: UUID, count: int) -> None:
    """As the controller does: so many tasks have ended, and the event of it."""

    def work(connection: Connection) -> None:
        connection.execute(update(Job).where(col(Job.id) == job_id).values(tasks_completed=count))
        told = Event(job_id, city.projects["npu-verif"], "job.state", {"state": JobState.RUNNING})
        events.record(connection, [told], at=datetime.now(UTC))

    engine = create_engine(city.settings.effective_database_url)
    transact(engine, work)
    engine.dispose()


def test_corners_stand_beside_their_limits_and_the_worst_is_named(
    open_page: OpenPage, corners: UUID, tmp_path: Path
) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{corners}")
    page.get_by_role("link", name="Compare corners").click()
    worst = page.locator("section", has_text="Worst corner of each limit").locator("tbody tr")
    expect(worst.first).to_contain_text("ss 0.9 V, 125 °C")
    expect(worst.first.locator(".tone-bad")).to_have_text("-5e-11")
    rows = page.locator("section", has_text="Slack is how far").locator("tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.nth(5)).to_contain_text("invalid")
    page.screenshot(path=tmp_path / "corners-en-1280.png", full_page=True)
    told = page.request.get(f"/api/v1/jobs/{corners}/corners").json()
    assert [one["corner"] for one in told["worst"]] == ["ss 0.9 V, 125 °C", "ss 0.9 V, -40 °C"]
    assert told["corners"][5]["values"] == [None, None]


@pytest.mark.parametrize("path", ["sweep", "corners"])
def test_both_fit_a_phone_in_the_dark_and_can_be_read_without_scripts(
    open_page: OpenPage, sweep: UUID, corners: UUID, path: str, tmp_path: Path
) -> None:
    job = sweep if path == "sweep" else corners
    page = open_page(locale="vi", theme="dark", width=390)
    page.goto(f"/jobs/{job}/{path}")
    expect(page.locator("tbody tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / f"{path}-vi-390.png", full_page=True)
    assert barriers(page) == []
    plain = open_page(locale="vi", javascript=False)
    plain.goto(f"/jobs/{job}/{path}")
    expect(plain.locator("tbody tr").first).to_be_visible()


def test_another_tenant_and_another_kind_of_job_find_nothing(
    open_page: OpenPage, sweep: UUID, corners: UUID
) -> None:
    rival = open_page(locale="en", user="minh", expected=(404,))
    owner = open_page(locale="en", expected=(404,))
    for page, job, path in (
        (rival, sweep, "sweep"),
        (rival, corners, "corners"),
        (owner, sweep, "corners"),
        (owner, corners, "sweep"),
    ):
        answer = page.goto(f"/jobs/{job}/{path}")
        assert answer
        assert answer.status == 404


def test_another_tenant_gets_neither(open_page: OpenPage, sweep: UUID, corners: UUID) -> None:
    page = open_page(user="minh", expected=(404,))
    for job, part in ((sweep, "sweep"), (corners, "corners")):
        assert page.request.get(f"/api/v1/jobs/{job}/{part}").status == 404
        answer = page.goto(f"/jobs/{job}/{part}")
        assert answer
        assert answer.status == 404
