"""Find by a part of a name, over HTTP: what one may open, and nothing else."""

import httpx

from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit


def found(client: httpx.Client, text: str) -> list[tuple[str, str, str]]:
    answer = client.get("/api/v1/search", params={"text": text})
    assert answer.status_code == httpx.codes.OK
    return [(one["kind"], one["name"], one["path"]) for one in answer.json()["items"]]


def test_each_kind_is_found_in_any_case_and_a_job_by_its_id(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client, name="Skywalker").json()["id"]
        line = ("Job", "Skywalker", f"/jobs/{job}")
        assert found(client, "sKYwalk") == found(client, job) == found(client, "") == [line]
        assert ("Project", "chips", "/projects/chips") in found(client, "CHIP")
        assert ("Template", "Formal verification", "/submit/formal") in found(client, "formal")


def test_wildcards_are_letters_and_the_others_work_is_not_there(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        job = submit(client, name="100%_done").json()["id"]
        assert found(client, "%_") == [("Job", "100%_done", f"/jobs/{job}")]
        assert found(client, "_%") == []
        assert client.get("/api/v1/search", params={"text": "x" * 201}).status_code == 422
    with portal.client(portal.city.rivals.member) as rival:
        assert (
            found(rival, "") == found(rival, "100%_done") == found(rival, job) == found(rival, "chips") == []
        )
