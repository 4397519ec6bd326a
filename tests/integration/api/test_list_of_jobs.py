"""The list of jobs as a page: whose they are, and since when."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, event, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.reports.period import local_day
from hpc_portal.app.tables import Job
from quotas.slice_run import day_begins_at
from tests.integration.api.conftest import Portal, serving
from tests.integration.api.test_service_accounts import ONE, PLACE
from tests.integration.api.test_sessions import browser
from tests.small_city import City


@dataclass(frozen=True, slots=True)
class StandingClock:
    """It is always the same instant."""

    at: datetime

    def now(self) -> datetime:
        return self.at


def submit(client: httpx.Client, name: str) -> str:
    spec = {
        "name": name,
        "argv": ["/bin/true"],
        "resources": {"memory_mib_per_node": 512, "walltime_seconds": 60},
    }
    answer = client.post("/api/v1/jobs", json={"project": "chips", "spec": spec})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def listed(page: str) -> list[str]:
    """The names of the jobs on a page."""
    return re.findall(r'class="job-name" href="/jobs/[^"]+">([^<]+)<', page)


def offered(page: str, field: str) -> dict[str, bool]:
    """The words of a filter's choices, and whether each is the chosen one."""
    [choices] = re.findall(rf'<select[^>]* name="{field}".*?</select>', page, re.DOTALL)
    options = re.findall(r"<option([^>]*)>([^<]*)<", choices)
    return {unescape(text): "selected" in attributes for attributes, text in options}


def test_the_jobs_of_a_service_account_are_shown_from_its_page_and_it_stays_chosen(portal: Portal) -> None:
    with portal.client(portal.city.chips.lead) as lead, browser(portal, "here", who="lead") as here:
        lead.post(PLACE, json={"name": "ci", "purpose": "Nightly"})
        token = lead.post(f"{ONE}/tokens", json={"name": "GitLab"}).json()["token"]
        with portal.client(authorization=f"Bearer {token}") as robot:
            submit(robot, "nightly")
        submit(lead, "by-hand")
        [address] = re.findall(r'<a href="(/jobs\?[^"]+)"', here.get(PLACE.removeprefix("/api/v1")).text)
        assert listed(here.get(unescape(address)).text) == ["nightly"]
        assert lead.delete(ONE).status_code == 204
        page = here.get(unescape(address)).text
    assert listed(page) == ["nightly"]
    assert offered(page, "owner")["ci@chips"], "it has no place any more, and its jobs are still shown"


def test_whose_jobs_offers_those_one_works_with_and_nobody_else(portal: Portal) -> None:
    people = {"Everyone's": False, "Mine": False, "chips-member": True}
    with browser(portal, "here", who="lead") as here:
        for narrowed in ("", "&project=chips"):
            page = here.get(f"/jobs?owner=chips-member{narrowed}").text
            assert offered(page, "owner") == people
        foreign = here.get("/jobs?project=rivals").text
    assert offered(foreign, "owner") == {"Everyone's": False, "Mine": False}


def test_older_jobs_come_without_asking_for_what_only_the_form_shows(portal: Portal) -> None:
    asked: list[str] = []

    def note(*facts: object) -> None:
        asked.append(str(facts[2]))

    def for_the_form() -> tuple[bool, bool]:
        """Whether views, and the people one works with, were asked for."""
        found = "\n".join(asked)
        asked.clear()
        return "FROM saved_view" in found, bool(re.search(r"SELECT DISTINCT \S*username", found))

    with portal.client(portal.city.chips.member) as member, browser(portal, "here") as here:
        _, newer = (submit(member, name) for name in ("older", "newer"))
        event.listen(portal.city.services.engine, "before_cursor_execute", note)
        whole = here.get("/jobs", params={"cursor": newer})
        assert for_the_form() == (True, True)
        rows = here.get("/jobs", params={"cursor": newer}, headers={"hx-request": "true"})
        assert for_the_form() == (False, False)
    assert listed(whole.text) == listed(rows.text) == ["older"]


AGES: Mapping[str, Callable[[datetime], datetime]] = {
    "this-morning": lambda today: today,
    "last-night": lambda today: today - timedelta(seconds=1),
    "last-week": lambda today: today - timedelta(days=8),
    "long-ago": lambda _: datetime(2026, 1, 31, 17, tzinfo=UTC),
}
"""The last one at the midnight in Da Nang with which February began."""


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("", 4),
        ("today", 1),
        ("7d", 2),
        ("30d", 3),
        ("2026-02-01", 4),
        ("2026-02-02", 3),
    ],
)
def test_the_list_is_narrowed_to_those_submitted_since(city: City, since: str, shown: int) -> None:
    clock = StandingClock(datetime.now(UTC))  # so that no midnight comes meanwhile
    today = day_begins_at(local_day(clock.at))
    standing = replace(city, services=replace(city.services, clock=clock))
    with (
        serving(standing) as portal,
        portal.client(portal.city.chips.member) as member,
        browser(portal, "here") as here,
    ):
        for name, age in AGES.items():
            job = UUID(submit(member, name))
            aged = update(Job).where(col(Job.id) == job).values(submitted_at=age(today))
            transact(portal.city.services.engine, partial(Connection.execute, statement=aged))
        page = here.get(f"/jobs?since={since}").text
        told = member.get(f"/api/v1/jobs?since={since}").json()["items"]
    expected = list(AGES)[:shown][::-1]
    assert (listed(page), [job["name"] for job in told]) == (expected, expected)


def test_a_day_is_chosen_without_a_script_and_stands_in_the_address_and_in_both_languages(
    portal: Portal,
) -> None:
    with browser(portal, "here") as here:
        asked = here.get("/jobs?text=a&since=7d&day=2026-11-05")
        assert (asked.status_code, asked.headers["location"]) == (303, "/jobs?text=a&since=2026-11-05")
        for language, chip, week in (
            ("en", "Since 05 Nov 2026", "Last 7 days"),
            ("vi", "Từ 05/11/2026", "7 ngày qua"),
        ):
            here.cookies.set("locale", language)
            page = here.get(asked.headers["location"]).text
            choices = offered(page, "since")
            assert (choices[chip], choices[week], len(choices)) == (True, False, 5)
            assert re.search(rf'<a class="chip" href="/jobs\?text=a" [^>]*>.*{chip}', page)
        assert here.get("/jobs?since=yesterday").status_code == 422


def test_a_view_keeps_since_when_and_no_word_that_means_nothing(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        kept = client.put("/api/v1/job-views/Lately", json={"since": "7d"}).json()
        assert kept["query"] == "since=7d"
        wrong = client.put("/api/v1/job-views/Lately", json={"since": "yesterday"})
        assert (wrong.status_code, [one["field"] for one in wrong.json()["problems"]]) == (422, ["since"])
        both = client.put("/api/v1/job-views/%20", json={"since": "yesterday"}).json()
        assert [one["field"] for one in both["problems"]] == ["name", "since"], "told together"
        assert client.get("/api/v1/jobs?since=yesterday").status_code == 422
