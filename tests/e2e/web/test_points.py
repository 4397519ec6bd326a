"""Pages of a sweep and of corners in the browser, on what templates parse from workspaces."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect
from sqlalchemy import Connection, insert, update
from sqlmodel import col

from hpc_portal.app import events
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.events import Event
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job
from schedulers.jobstate import JobState
from tests.e2e.web.accessible import barriers
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import NOW, City
from workloads import catalog

pytestmark = pytest.mark.xdist_group("browser-points")

TRIALS = 24
SPACE = {
    "learning_rate": "float 0.0003 0.1 log",
    "hidden_units": "int 16 256",
    "optimiser": "choice sgd adam",
}


def add_job(
    city: City,
    template: str,
    parameters: Mapping[str, Any],
    **other: Any,  # noqa: ANN401 - of any column
) -> UUID:
    """A job that has ended, unless its columns say something `other`; its workspace is empty."""
    job_id = new_id()
    found = catalog.template(template)
    spec = found.render(found.validate(parameters))
    workspace = f"sao-bien/npu-verif/linh/{job_id}"
    (city.settings.effective_workspace_root / workspace).mkdir(parents=True)
    values = {
        "id": job_id,
        "organisation_id": city.organisations["sao-bien"],
        "project_id": city.projects["npu-verif"],
        "user_id": city.users["linh"],
        "name": template,
        "template": template,
        "parameters": dict(parameters),
        "spec": spec.model_copy(update={"partition": "main"}).model_dump(mode="json", exclude_defaults=True),
        "workspace": workspace,
        "partition": "main",
        "is_array": True,
        "phase": Phase.SETTLED,
        "state": JobState.COMPLETED,
        "scheduler": "danang",
        "scheduler_job_id": str(job_id.int % 10**9),
        "submitted_at": NOW,
        "dispatched_at": NOW,
        "started_at": NOW,
        "ended_at": NOW + timedelta(minutes=5),
        "settled_at": NOW + timedelta(minutes=5),
        "tasks_total": spec.task_count,
        "tasks_completed": spec.task_count,
        **other,
    }
    engine = create_engine(city.settings.effective_database_url)
    transact(engine, lambda connection: connection.execute(insert(Job).values(**values)))
    engine.dispose()
    city.workspaces[template] = city.settings.effective_workspace_root / workspace
    return job_id


def write(city: City, template: str, path: str, text: str) -> None:
    file = city.workspaces[template] / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture(scope="module")
def sweep(city: City) -> UUID:
    """Trial n reached 0.5 + n / 100; even ones used sgd."""
    job_id = add_job(city, "training-sweep", {"space": SPACE, "trials": TRIALS})
    for task in range(TRIALS):
        best = 0.5 + task / 100
        values = {
            "learning_rate": 0.0003 * 1.25**task,
            "hidden_units": 16 + 10 * (task % 25),
            "optimiser": "adam" if task % 2 else "sgd",
        }
        result = {"values": values, "points": [[1, best / 2], [2, best]], "best": best, "end": "done"}
        write(city, "training-sweep", f"results/{task}.json", json.dumps(result))
    return job_id


@pytest.fixture(scope="module")
def corners(city: City) -> UUID:
    """Three voltages at two temperatures: one corner misses a limit, one is invalid."""
    parameters = {"corners": ["ss"], "voltages": [0.9, 1.0, 1.1], "temperatures": [-40, 125]}
    job_id = add_job(city, "spice", parameters)
    for task in range(6):
        period = 1e-10 * (5.5 if task == 1 else 2 + task / 10)
        agreement = 1.5 if task == 5 else 1.0
        lines = [
            f"1 period {period:g}",
            "1 power 0.0004",
            f"1 agreement {agreement}",
            "1 swing 0.95",
            "1 exit_code 0",
        ]
        write(city, "spice", f"measures/{task}.txt", "\n".join(lines) + "\n")
        write(city, "spice", f"results/{task}", "exit_code=0\n")
    return job_id


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
