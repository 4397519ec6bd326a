"""Service accounts through the API: a pipeline's whole way, and what its token does not open."""

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
