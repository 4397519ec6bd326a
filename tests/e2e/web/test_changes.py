"""Holding, releasing, extending and the like in the browser; any error in the console fails the test."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from sqlalchemy import create_engine, select, update
from sqlmodel import col

from hpc_portal.app.tables import Job, JobChange
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City

pytestmark = pytest.mark.xdist_group("browser-changes")


def submit(page: Page, name: str) -> None:
    """A job of an hour that no scheduler has yet."""
    page.goto("/submit/script")
    page.get_by_label("Job name", exact=True).fill(name)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile("/jobs/[0-9a-f-]{36}$"))


def form(page: Page, button: str) -> Locator:
    return page.locator("form.change-form", has=page.get_by_role("button", name=button))


def open_panel(page: Page) -> None:
    page.locator("summary", has_text="Change this job").click()


def changes(city: City, job: str) -> list[tuple[str, dict[str, object]]]:
    engine = create_engine(city.settings.effective_database_url)
    with engine.connect() as connection:
        wanted = select(col(JobChange.kind), col(JobChange.facts)).where(
            col(JobChange.job_id) == city.jobs[job]
        )
        found = [
            (row.kind, row.facts) for row in connection.execute(wanted.order_by(col(JobChange.sequence)))
        ]
    engine.dispose()
    return found


def write(city: City, job: str, **values: object) -> None:
    engine = create_engine(city.settings.effective_database_url)
    with engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id) == city.jobs[job]).values(**values))
    engine.dispose()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_job_is_held_and_released_by_its_buttons(open_page: OpenPage, *, javascript: bool) -> None:
    page = open_page(locale="en", javascript=javascript)
    submit(page, "to be held")
    page.get_by_role("button", name="Hold").click()
    expect(page.locator(".head .state")).to_contain_text("On hold")
    head = page.locator("[data-part=head]")
    expect(head).to_contain_text("It is held and starts only when released. (JobHeldUser)")
    expect(head).to_contain_text("Release it when it may start.")
    expect(page.get_by_role("button", name="Hold")).to_have_count(0)
    page.get_by_role("button", name="Release").click()
    expect(page.locator(".head .state")).to_contain_text("Queued")
    expect(page.get_by_role("button", name="Release")).to_have_count(0)


def test_a_longer_time_limit_is_priced_and_a_wrong_one_said_beside_the_field(open_page: OpenPage) -> None:
    page = open_page(locale="en", expected=(422,))
    submit(page, "to be extended")
    open_panel(page)
    limit = page.get_by_label("Time limit")
    expect(limit).to_have_value("01:00:00")
    limit.fill("tomorrow")
    form(page, "Set the time limit").get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("Enter a time such as 01:30:00 or 2-12:00:00.")
    expect(limit).to_have_value("tomorrow")
    expect(limit).to_be_focused()
    limit.fill("30-00:00:00")
    form(page, "Set the time limit").get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("Partition main allows 7-00:00:00 at most.")
    limit.fill("3:00:00")
    form(page, "Set the time limit").get_by_role("button").click()
    expect(page.locator(".facts", has_text="Time limit")).to_contain_text("3 h")
    page.get_by_role("link", name="Cost").click()
    # Three hours of a CPU at 1,000 and of 1 GiB at 100 đồng.
    expect(page.locator(".figure").first).to_have_text("3,300\N{NO-BREAK SPACE}₫")
    page.get_by_role("link", name="Events").click()
    expect(page.locator("main")).to_contain_text("Changed as asked")


def test_what_the_scheduler_has_not_answered_is_shown_and_tasks_are_named(
    open_page: OpenPage, city: City
) -> None:
    page = open_page(locale="en", expected=(422,))
    page.goto(f"/jobs/{city.jobs['fifo-regression']}")
    open_panel(page)
    page.get_by_label("Cancel some tasks").fill("40-99")
    form(page, "Cancel these tasks").get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("The array has no task 42.")
    expect(page.get_by_label("Cancel some tasks")).to_have_value("40-99")
    assert changes(city, "fifo-regression") == []
    page.get_by_label("Cancel some tasks").fill("40-41")
    form(page, "Cancel these tasks").get_by_role("button").click()
    expect(page.get_by_role("status").first).to_contain_text("Cancel tasks 40-41")
    expect(page.get_by_role("status").first).to_contain_text("Asked for, and not carried out yet.")
    assert changes(city, "fifo-regression") == [("cancel_tasks", {"tasks": "40-41"})]


def test_a_running_job_is_run_again_only_after_it_was_said_what_is_lost(
    open_page: OpenPage, city: City
) -> None:
    page = open_page(locale="en")
    page.goto(f"/jobs/{city.jobs['ocr-vi-finetune']}")
    button = page.get_by_role("button", name="End and requeue")
    expect(button).to_be_hidden()
    open_panel(page)
    expect(form(page, "End and requeue")).to_contain_text("what was not saved is lost")
    button.click()
    expect(page.get_by_role("status").first).to_contain_text("Requeue")
    assert changes(city, "ocr-vi-finetune") == [("requeue", {})]


def test_the_ticked_jobs_are_held_and_released_together(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    for name in ("together-one", "together-two"):
        submit(page, name)
    page.goto("/jobs?text=together")
    hold = page.get_by_role("button", name="Hold")
    expect(hold).to_be_disabled()
    page.get_by_label("All on this page").check()
    hold.click()
    expect(page).to_have_url(re.compile("text=together"))
    rows = page.locator("[data-job]")
    expect(rows.locator(".state", has_text="On hold")).to_have_count(2)
    page.get_by_label("Choose together-one").check()
    page.get_by_role("button", name="Release").click()
    expect(rows.locator(".state", has_text="On hold")).to_have_count(1)
    expect(rows.locator(".state", has_text="Queued")).to_have_count(1)
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("status").first).to_contain_text("1 of the ticked jobs were left as they are")
    expect(rows.locator(".state", has_text="On hold")).to_have_count(2)


def test_only_what_waits_of_a_running_array_is_said_to_wait(open_page: OpenPage, city: City) -> None:
    write(city, "fifo-regression", state_reason="JobArrayTaskLimit")
    page = open_page(locale="en")
    page.goto("/jobs?text=fifo")
    row = page.locator("[data-job]", has_text="fifo-regression")
    expect(row.locator(".state")).to_contain_text("Running")
    expect(row.locator(".why")).to_have_text(
        re.compile(r"^\d+ tasks wait: As many of its tasks run at once as it allows. \(JobArrayTaskLimit\)$")
    )


def test_a_reason_stands_in_words_in_both_languages_with_the_raw_one_beside_it(
    open_page: OpenPage, city: City
) -> None:
    for locale, words in (
        ("en", "Waiting until enough CPUs, memory or GPUs are free. (Resources)"),
        ("vi", "Đang chờ đủ CPU, bộ nhớ hoặc GPU trống. (Resources)"),
    ):
        page = open_page(locale=locale)
        page.goto("/jobs?text=npu-synth")
        expect(page.locator("[data-job] .why")).to_have_text(words)
        page.goto(f"/jobs/{city.jobs['npu-synth']}")
        expect(page.locator("[data-part=head]")).to_contain_text(words)


@pytest.mark.parametrize("address", ["/jobs?text=npu-synth", "/jobs/{job}"])
def test_what_happened_before_the_stream_opened_is_shown(
    open_page: OpenPage, city: City, address: str
) -> None:
    def meanwhile(route: Route) -> None:
        write(city, "npu-synth", state_reason="Priority")
        route.continue_()

    page = open_page(locale="en")
    page.route(re.compile(r"/live\?"), meanwhile)
    try:
        page.goto(address.format(job=city.jobs["npu-synth"]))
        expect(page.get_by_text("(Priority)")).to_be_visible()
    finally:
        write(city, "npu-synth", state_reason="Resources")


def test_an_administrator_s_hold_is_not_the_owner_s_to_release(open_page: OpenPage) -> None:
    owner = open_page(locale="en")
    submit(owner, "held by the city")
    city = open_page(locale="en", user="thanhpho")
    city.goto(owner.url)
    city.get_by_role("button", name="Hold").click()
    expect(city.locator("[data-part=head]")).to_contain_text("JobHeldAdmin")
    owner.reload()
    expect(owner.locator("[data-part=head]")).to_contain_text("An administrator of the cluster holds it.")
    expect(owner.get_by_role("button", name="Release")).to_have_count(0)
    city.get_by_role("button", name="Release").click()
    expect(city.locator(".head .state")).to_contain_text("Queued")


@pytest.mark.parametrize(("locale", "theme", "width"), [("vi", "light", 1280), ("en", "dark", 390)])
def test_the_panel_fits_in_both_languages_themes_and_widths(  # noqa: PLR0913 - fixtures and parameters
    open_page: OpenPage, city: City, tmp_path: Path, *, locale: str, theme: str, width: int
) -> None:
    page = open_page(locale=locale, theme=theme, width=width)
    page.goto(f"/jobs/{city.jobs['fifo-regression']}")
    page.locator("details.change > summary").click()
    expect(page.locator("form.change-form").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.screenshot(path=tmp_path / f"change-{locale}-{width}.png", full_page=True)
    page.goto("/jobs?text=npu")
    page.screenshot(path=tmp_path / f"list-{locale}-{width}.png")
