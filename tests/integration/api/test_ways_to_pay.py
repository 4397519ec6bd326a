"""Ways out of a budget that is too small: what the estimate offers would be accepted."""

from typing import Any

import pytest
from sqlalchemy import insert

from hpc_portal.app.db import transact
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole
from tests.integration.api.conftest import Portal

DAYS_5 = 5 * 86_400


def job(seconds: int, project: str = "chips") -> dict[str, Any]:
    """1,000 tasks of 64 CPUs."""
    resources = {"cpus_per_task": 64, "walltime_seconds": seconds}
    spec = {
        "name": "big",
        "script": "#!/bin/sh\n./simv\n",
        "array": {"expression": "0-999"},
        "resources": resources,
    }
    return {"project": project, "spec": spec}


@pytest.fixture
def joined(portal: Portal) -> Portal:
    """The city, where the member of one project is a member of the other's, too."""
    chips, rivals = portal.city.chips, portal.city.rivals
    user = {"user_id": chips.member.user_id}

    def join(connection: Any) -> None:  # noqa: ANN401 - a connection
        of_organisation = {**user, "organisation_id": rivals.organisation_id, "role": OrganisationRole.MEMBER}
        connection.execute(insert(OrganisationMember).values(of_organisation))
        of_project = {**user, "project_id": rivals.project_id, "role": ProjectRole.MEMBER}
        connection.execute(insert(ProjectMember).values(of_project))

    transact(portal.city.services.engine, join)
    return portal


def test_the_longest_walltime_that_fits_is_offered_and_would_be_accepted(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        found = client.post("/api/v1/jobs/estimate", json=job(DAYS_5)).json()
        offered = found["ways_to_pay"]["walltime_seconds"]
        assert found["obstacles"]
        assert offered % 60 == 0
        fitting = client.post("/api/v1/jobs/estimate", json=job(offered)).json()
        longer = client.post("/api/v1/jobs/estimate", json=job(offered + 120)).json()
    assert (fitting["obstacles"], fitting["ways_to_pay"]) == ([], {"projects": [], "walltime_seconds": None})
    assert longer["obstacles"]


def test_another_project_is_offered_only_where_it_can_pay(joined: Portal) -> None:
    with joined.client(joined.city.chips.member) as client:
        full = client.post("/api/v1/jobs/estimate", json=job(DAYS_5)).json()["ways_to_pay"]["projects"]
        assert full == [], "the other has as little"
        most = client.post("/api/v1/jobs/estimate", json=job(DAYS_5)).json()["ways_to_pay"][
            "walltime_seconds"
        ]
        assert client.post("/api/v1/jobs", json=job(most)).status_code == 201
        again = client.post("/api/v1/jobs/estimate", json=job(most)).json()
        assert again["ways_to_pay"]["projects"] == ["rivals"]
        assert client.post("/api/v1/jobs/estimate", json=job(most, "rivals")).json()["obstacles"] == []


def test_a_project_that_one_is_not_in_is_never_named(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        most = client.post("/api/v1/jobs/estimate", json=job(DAYS_5)).json()["ways_to_pay"][
            "walltime_seconds"
        ]
        client.post("/api/v1/jobs", json=job(most))
        again = client.post("/api/v1/jobs/estimate", json=job(most)).json()
    assert again["obstacles"]
    assert again["ways_to_pay"]["projects"] == []
