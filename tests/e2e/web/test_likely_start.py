"""The bar beside the form says when a job would likely start, why then, and which licences are free."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from schedulers.units import CITY_TIME
from tests.e2e.web.browser import OpenPage
from tests.e2e.web.city import City, report_cluster
from tests.e2e.web.test_live import with_city

pytestmark = pytest.mark.xdist_group("browser-likely-start")

LONGEST_AHEAD = timedelta(hours=2)
"""The walltime of each job of the city that runs or waits; all their work together is less."""


@pytest.fixture(autouse=True)
def fresh(city: City) -> None:
    with_city(city, report_cluster)


def asked(page: Page, *options: str) -> Locator:
    """The bar beside a script with these lines in its header."""
    page.goto("/submit/script")
    header = "\n".join(f"#SBATCH {option}" for option in options)
    page.locator("[name='script']").fill(f"#!/bin/bash\n{header}\nmake\n")
    bar = page.locator("#estimate")
    for option in options:
        expect(bar.locator("code", has_text=option)).to_have_count(1)
    return bar


def test_a_job_that_has_to_wait_is_told_between_when_it_starts_and_why(open_page: OpenPage) -> None:
    bar = asked(open_page(locale="en"), "--gpus-per-node=h100:8")
    expect(bar).to_contain_text("Something that it needs is in use now.")
    expect(bar).to_contain_text(re.compile(r"Likely start\s+between now and \d\d:\d\d .*\(in \d+ hours\)"))
    [time] = re.findall(r"between now and (\d\d:\d\d)", bar.inner_text())
    now = datetime.now(CITY_TIME)
    until = datetime.combine(now.date(), datetime.strptime(time, "%H:%M").time(), CITY_TIME)  # noqa: DTZ007
    until += timedelta(days=until < now)
    assert LONGEST_AHEAD - timedelta(minutes=5) < until - now < 2 * LONGEST_AHEAD
    bar = asked(open_page(locale="vi"), "--gpus-per-node=h100:8")
    expect(bar).to_contain_text(re.compile(r"Dự kiến bắt đầu\s+từ bây giờ đến \d\d:\d\d"))


def test_when_it_starts_follows_what_is_free_and_what_the_header_says(
    open_page: OpenPage, city: City
) -> None:
    page = open_page(locale="en")
    expect(asked(page, "--cpus-per-task=1")).to_contain_text("Jobs ahead of it in the queue start first.")
    held = re.compile(r"not before \d\d:\d\d( \d\d \w{3} \d{4})?\s*Somebody has to release it first\.")
    expect(asked(page, "--hold")).to_contain_text(held)
    later = datetime.now(CITY_TIME) + timedelta(days=2)
    bar = asked(page, f"--begin={later:%Y-%m-%d}T08:30:00")
    expect(bar).to_contain_text(f"between 08:30 {later:%d %b %Y} and")
    expect(bar).to_contain_text("It is to begin later.")


def test_licences_are_shown_with_how_many_are_free_and_who_has_the_others(open_page: OpenPage) -> None:
    page = open_page(locale="en")
    enough = asked(page, "--licenses=vcs:5")
    expect(enough).to_contain_text("Licence vcs: 5 of 5 free")
    expect(enough.get_by_role("link", name="who has them")).to_have_count(0)
    few = asked(page, "--licenses=vcs:6")
    expect(few).to_contain_text("Licence vcs: 6 of 5 free")
    expect(few).to_contain_text("Waiting for a free licence.")
    few.get_by_role("link", name="who has them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Licences")
    expect(page.locator("main")).to_contain_text("vcs")
