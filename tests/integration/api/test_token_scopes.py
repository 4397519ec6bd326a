"""API tokens that are good for less than their owner: to look, for jobs, for one project."""

import httpx
import pytest

from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.tables import TokenScope
from hpc_portal.auth.scopes import _is_of_jobs
from tests.integration.api.conftest import Portal

JOB = {
    "project": "chips",
    "spec": {
        "name": "sim",
        "argv": ["/bin/true"],
        "resources": {"cpus_per_task": 1, "memory_mib_per_node": 512, "walltime_seconds": 60},
    },
}


def client(portal: Portal, scope: TokenScope, *, project: str = "", lead: bool = False) -> httpx.Client:
    person = portal.city.chips.lead if lead else portal.city.chips.member
    token = issue_token(portal.city.services, person, name="CI", scope=scope, project=project)
    return portal.client(authorization=f"Bearer {token.secret}")


def test_a_token_to_look_changes_nothing(portal: Portal) -> None:
    with client(portal, TokenScope.READ) as reader:
        assert reader.get("/api/v1/jobs").status_code == 200
        refused = reader.post("/api/v1/jobs", json=JOB)
        assert refused.status_code == 403
        assert refused.json()["type"].endswith("scope-too-small")
        assert reader.post("/api/v1/tokens", json={"name": "more"}).status_code == 403
        assert reader.get("/api/v1/jobs").json()["items"] == []


def test_a_token_for_jobs_submits_and_cancels_and_does_nothing_else(portal: Portal) -> None:
    with client(portal, TokenScope.JOBS, lead=True) as robot:
        submitted = robot.post("/api/v1/jobs", json=JOB)
        assert submitted.status_code == 201, submitted.text
        assert robot.post(f"/api/v1/jobs/{submitted.json()['id']}/cancel").is_success
        for method, path, body in (
            ("POST", "/api/v1/tokens", {"name": "more"}),
            ("PATCH", "/api/v1/me", {"locale": "en"}),
            ("PUT", "/api/v1/projects/chips/members/somebody", {"role": "member"}),
        ):
            assert robot.request(method, path, json=body).status_code == 403, path


def test_a_token_of_one_project_is_nobody_elsewhere(portal: Portal) -> None:
    with client(portal, TokenScope.EVERYTHING, project="chips") as robot:
        me = robot.get("/api/v1/me").json()
        assert [project["account"] for project in me["projects"]] == ["chips"]
        assert me["global_role"] is None
        assert robot.post("/api/v1/jobs", json=JOB).status_code == 201
        elsewhere = robot.post("/api/v1/jobs", json={**JOB, "project": "rivals"})
        assert elsewhere.status_code == 404


def test_a_token_of_one_project_makes_no_other_token_and_reads_nothing_of_its_owner(portal: Portal) -> None:
    """Whoever stole it would have all of its owner's rights otherwise."""
    with client(portal, TokenScope.EVERYTHING, project="chips", lead=True) as robot:
        for method, path, body in (
            ("POST", "/api/v1/tokens", {"name": "more"}),
            ("GET", "/api/v1/tokens", None),
            ("GET", "/api/v1/notices", None),
            ("PATCH", "/api/v1/me", {"locale": "en"}),
            ("PUT", "/api/v1/webhook", {"url": "https://example.vn/"}),
            ("POST", "/settings/tokens", None),
            ("GET", "/settings", None),
        ):
            refused = robot.request(method, path, json=body)
            assert refused.status_code == 403, f"{method} {path} answered {refused.status_code}"
    with portal.client(portal.city.chips.lead) as lead:
        assert {token["name"] for token in lead.get("/api/v1/tokens").json()["items"]} == {"CI", "test"}


def test_nobody_gives_out_a_token_for_a_project_that_is_not_theirs(portal: Portal) -> None:
    for account in ("rivals", "no-such-project"):
        with pytest.raises(InvalidEntry):
            issue_token(portal.city.services, portal.city.chips.member, name="CI", project=account)


def test_the_list_says_what_each_is_good_for(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as member:
        body = {"name": "CI", "scope": "jobs", "project": "chips", "valid_days": 30}
        assert member.post("/api/v1/tokens", json=body).status_code == 201
        newest = member.get("/api/v1/tokens").json()["items"][0]
        assert (newest["scope"], newest["project"]) == ("jobs", "chips")
        assert member.post("/api/v1/tokens", json={"name": "CI", "scope": "root"}).status_code == 422


@pytest.mark.parametrize(
    ("path", "is_of_jobs"),
    [
        ("/api/v1/jobs", True),
        ("/api/v1/jobs/1/cancel", True),
        ("/api/v1/jobsx", False),
        ("/api/v1/projects/chips/files/a/b", True),
        ("/api/v1/projects/chips/members/files", False),
        ("/api/v1/projects/files", False),
        ("/jobs/cancel", False),
    ],
)
def test_what_belongs_to_jobs(path: str, *, is_of_jobs: bool) -> None:
    assert _is_of_jobs(path) is is_of_jobs
