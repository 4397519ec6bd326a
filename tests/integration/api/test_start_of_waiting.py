"""When a waiting job would start: what was submitted before it counts, what came later does not."""

from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit


def test_a_waiting_job_tells_its_likely_start_and_only_what_is_ahead_delays_it(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        first, second = (submit(client, name).json()["id"] for name in ("first", "second"))
        ahead = client.get(f"/api/v1/jobs/{first}").json()["expected_start"]
        behind = client.get(f"/api/v1/jobs/{second}").json()["expected_start"]
        assert ahead["reason"] == "Free"
        assert behind["reason"] == "Priority"
        assert behind["earliest"] < behind["latest"]
        client.post(f"/api/v1/jobs/{first}/cancel")
        assert client.get(f"/api/v1/jobs/{first}").json()["expected_start"] is None
