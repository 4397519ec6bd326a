"""Views of the list of jobs: kept, replaced, forgotten, and nobody else's."""

from tests.integration.api.conftest import Portal


def test_a_view_is_kept_under_its_name_replaced_by_the_next_and_forgotten(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        filters = {"state": "FAILED", "owner": "chips-member"}
        kept = client.put("/api/v1/job-views/Failed", json=filters).json()
        assert kept == {
            "name": "Failed",
            "query": "state=FAILED&owner=chips-member",
            "filters": {"state": "FAILED", "owner": "chips-member"},
        }
        client.put("/api/v1/job-views/Failed", json={"text": "nightly"})
        client.put("/api/v1/job-views/All%20of%20chips", json={"project": "chips"})
        names = {view["name"]: view["query"] for view in client.get("/api/v1/job-views").json()}
        assert names == {"All of chips": "project=chips", "Failed": "text=nightly"}
        for _ in range(2):
            assert client.delete("/api/v1/job-views/Failed").status_code == 204
        assert [view["name"] for view in client.get("/api/v1/job-views").json()] == ["All of chips"]
    with portal.client(portal.city.chips.lead) as other:
        assert other.get("/api/v1/job-views").json() == []


def test_a_view_without_filter_or_with_a_name_too_long_is_refused_in_words_and_nothing_is_kept(
    portal: Portal,
) -> None:
    with portal.client(portal.city.chips.member) as client:
        empty = client.put("/api/v1/job-views/Nothing", json={})
        long = client.put(f"/api/v1/job-views/{'x' * 61}", json={"state": "FAILED"})
        for answer, field in ((empty, "query"), (long, "name")):
            assert answer.status_code == 422
            assert [problem["field"] for problem in answer.json()["problems"]] == [field]
        assert client.get("/api/v1/job-views").json() == []
