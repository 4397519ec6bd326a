"""The list of jobs as a page: whose they are, and since when."""

import re
from html import unescape

import httpx

from tests.integration.api.conftest import Portal
from tests.integration.api.test_service_accounts import ONE, PLACE
from tests.integration.api.test_sessions import browser


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
        language = {"accept-language": "en"}
        for narrowed in ("", "&project=chips"):
            page = here.get(f"/jobs?owner=chips-member{narrowed}", headers=language).text
            assert offered(page, "owner") == people
        foreign = here.get("/jobs?project=rivals", headers=language).text
    assert offered(foreign, "owner") == {"Everyone's": False, "Mine": False}
