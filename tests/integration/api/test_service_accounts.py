"""Service accounts through the API: a pipeline's whole way, and what its token does not open."""

from uuid import uuid4

import httpx

from hpc_portal.auth.sessions import open_session
from tests.in_process import signed_in
from tests.integration.api.conftest import Portal
from tests.integration.api.test_token_scopes import JOB

PLACE = "/api/v1/projects/chips/service-accounts"
ONE = f"{PLACE}/ci@chips"


def test_a_lead_makes_one_a_pipeline_works_with_it_and_the_lead_ends_it(portal: Portal) -> None:
    with portal.client(portal.city.chips.lead) as lead:
        body = {"name": "ci", "purpose": "Nightly", "owners": ["chips-member"], "valid_days": 30}
        assert lead.post(PLACE, json=body).json() == {"username": "ci@chips"}
        assert lead.post(PLACE, json=body).status_code == 409
        token = lead.post(f"{ONE}/tokens", json={"name": "GitLab", "valid_days": 365}).json()
        with portal.client(authorization=f"Bearer {token['token']}") as robot:
            headers = {"Idempotency-Key": "gitlab-1"}
            sent = [robot.post("/api/v1/jobs", json=JOB, headers=headers) for _ in range(2)]
            assert [reply.json()["id"] for reply in sent] == [sent[0].json()["id"]] * 2
            job = robot.get(f"/api/v1/jobs/{sent[0].json()['id']}").json()
            assert (job["user"], job["service_owners"]) == ("ci@chips", "chips-member")
            new = lead.post(f"{ONE}/tokens/{token['id']}/rotate", json={"overlap_hours": 0})
            assert robot.get("/api/v1/jobs").status_code in {200, 401}, "remembered for two seconds at most"
        assert lead.patch(ONE, json={"owners": ["chips-lead"], "valid_days": 60}).status_code == 204
        [record] = lead.get(PLACE).json()["items"]
        assert (record["owners"], record["over"], record["may_handle"]) == (["chips-lead"], None, True)
        assert [token["is_good"] for token in record["tokens"]] == [True, False]
        assert all(token["expires_at"] <= record["expires_at"] for token in record["tokens"])
        assert lead.delete(ONE).status_code == 204
        with portal.client(authorization=f"Bearer {new.json()['token']}") as robot:
            assert robot.get("/api/v1/jobs").status_code == 401
        assert lead.get(PLACE).json()["items"][0]["over"] == "ended"


def test_a_pipelines_token_makes_no_other_token_and_opens_no_page(portal: Portal) -> None:
    with portal.client(portal.city.chips.lead) as lead:
        lead.post(PLACE, json={"name": "ci", "purpose": "Nightly"})
        issued = lead.post(f"{ONE}/tokens", json={"name": "GitLab"}).json()
    with portal.client(authorization=f"Bearer {issued['token']}") as robot:
        for method, path, body in (
            ("POST", "/api/v1/tokens", {"name": "more"}),
            ("POST", f"{ONE}/tokens", {"name": "more"}),
            ("POST", f"{ONE}/tokens/{issued['id']}/rotate", {}),
            ("POST", PLACE, {"name": "other", "purpose": "mine"}),
            ("PUT", "/api/v1/projects/chips/members/chips-member", {"role": "lead"}),
            ("GET", "/jobs", None),
            ("GET", "/settings", None),
        ):
            assert robot.request(method, path, json=body).status_code == 403, path
        elsewhere = robot.post("/api/v1/jobs", json={**JOB, "project": "rivals"})
        assert elsewhere.status_code == 404


def test_a_leads_token_of_one_project_makes_no_service_account(portal: Portal) -> None:
    """It would outlive the token: whoever stole that would have a year."""
    with portal.client(portal.city.chips.lead) as lead:
        lead.post(PLACE, json={"name": "ci", "purpose": "Nightly"})
        narrow = lead.post("/api/v1/tokens", json={"name": "mine", "project": "chips"}).json()
    with portal.client(authorization=f"Bearer {narrow['token']}") as thief:
        assert thief.post(PLACE, json={"name": "mine", "purpose": "mine"}).status_code == 403
        assert thief.post(f"{ONE}/tokens", json={"name": "mine"}).status_code == 403
        assert thief.get(PLACE).status_code == 200


def browser_of_lead(portal: Portal) -> httpx.Client:
    city = portal.city
    secret = open_session(city.services, city.chips.lead.user_id)
    return portal.client(None, **signed_in(portal.app, secret))


def test_a_scope_that_there_is_not_is_an_error_on_pages_too_and_no_token_is_made(portal: Portal) -> None:
    """It became a token to look: a pipeline then failed at its first submit, and nobody knew why."""
    page = PLACE.removeprefix("/api/v1")
    with portal.client(portal.city.chips.lead) as lead, browser_of_lead(portal) as browser:
        lead.post(PLACE, json={"name": "ci", "purpose": "Nightly"})
        before = len(lead.get("/api/v1/tokens").json()["items"])
        for scope in ("job", "", "JOBS"):
            form = {"name": "GitLab", "days": "30", "scope": scope}
            refused = browser.post(f"{page}/ci@chips/tokens", data=form)
            assert refused.status_code == 422
            assert "Choose one of the list" in refused.text
            assert "data-token" not in refused.text
        assert lead.get(PLACE).json()["items"][0]["tokens"] == []
        own = browser.post(
            "/settings/tokens", data={"name": "mine", "days": "", "scope": "job", "project": ""}
        )
        assert own.status_code == 422
        assert len(lead.get("/api/v1/tokens").json()["items"]) == before
        good = browser.post(f"{page}/ci@chips/tokens", data={"name": "GitLab", "days": "30", "scope": "jobs"})
        assert good.status_code == 200
        assert [one["scope"] for one in lead.get(PLACE).json()["items"][0]["tokens"]] == ["jobs"]


def test_an_owner_who_is_only_a_member_sees_and_cancels_its_jobs_and_a_colleague_only_sees(
    portal: Portal,
) -> None:
    city = portal.city
    with portal.client(city.chips.lead) as lead, portal.client(city.chips.member) as owner:
        lead.post(PLACE, json={"name": "ci", "purpose": "Nightly", "owners": ["chips-lead"]})
        token = lead.post(f"{ONE}/tokens", json={"name": "GitLab"}).json()["token"]
        with portal.client(authorization=f"Bearer {token}") as robot:
            headers = {"Idempotency-Key": str(uuid4())}
            job = robot.post("/api/v1/jobs", json=JOB, headers=headers).json()["id"]
        assert owner.get(f"/api/v1/jobs/{job}").json()["user"] == "ci@chips"
        assert owner.post(f"/api/v1/jobs/{job}/cancel").status_code == 403, (
            "a colleague does not answer for it"
        )
        assert lead.get(f"/api/v1/jobs/{job}").json()["cancel_requested_at"] is None
        assert lead.patch(ONE, json={"owners": ["chips-member"]}).status_code == 204
        assert owner.post(f"/api/v1/jobs/{job}/cancel").status_code in {200, 202, 204}
        assert lead.get(f"/api/v1/jobs/{job}").json()["cancel_requested_at"] is not None
        with portal.client(city.rivals.lead) as rival:
            assert rival.post(f"/api/v1/jobs/{job}/cancel").status_code == 404
