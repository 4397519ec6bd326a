"""The API tells of refusals in the language that the client accepts."""

from tests.integration.api.conftest import Portal

TOO_MUCH = {
    "name": "big",
    "script": "#!/bin/sh\ntrue",
    "resources": {"cpus_per_task": 64, "walltime_seconds": 7 * 86_400},
    "array": {"expression": "0-9999"},
}


def test_a_refusal_and_an_estimate_follow_accept_language(portal: Portal) -> None:
    body = {"project": "chips", "spec": TOO_MUCH}
    with portal.client(portal.city.chips.lead) as client:
        for accepted, language, said in (
            ("vi-VN, en;q=0.8", "vi", "Dự án chips còn"),
            ("en, vi;q=0.5", "en", "Project chips has"),
            ("fr", "en", "Project chips has"),
        ):
            headers = {"accept-language": accepted}
            refused = client.post("/api/v1/jobs", json=body, headers=headers)
            assert (refused.status_code, refused.headers["content-language"]) == (409, language)
            assert refused.json()["detail"].startswith(said)
            estimate = client.post("/api/v1/jobs/estimate", json=body, headers=headers)
            assert estimate.json()["obstacles"][0].startswith(said)
            wrong = client.post("/api/v1/jobs", json={"project": 7}, headers=headers)
            assert wrong.json()["problems"][0]["field"] == "project"
    with portal.client() as stranger:
        asked = stranger.get("/api/v1/jobs", headers={"accept-language": "vi"})
        assert (asked.status_code, asked.json()["title"]) == (401, "Hãy đăng nhập trước")
