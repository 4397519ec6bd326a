"""Clusters over HTTP: what each person sees of them, and who gives accounts there."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app import cluster_views, outages
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import ClusterPart, GlobalRole, User
from schedulers.cluster import Reservation
from tests.integration.api.conftest import Portal
from tests.small_city import City, build_city, cluster

JOB = {"project": "chips", "spec": {"name": "j", "argv": ["/bin/true"], "partition": "slurm:main"}}


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    slurm = SlurmSettings(url="http://127.0.0.1:1", jwt_key=Path("/nowhere"))
    city = build_city(database_url, tmp_path, clock=SystemClock(), slurm=slurm)
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


@pytest.fixture
def administrator(city: City) -> Actor:
    with city.services.engine.begin() as connection:
        name = col(User.username) == "rivals-lead"
        connection.execute(update(User).where(name).values(global_role=GlobalRole.ADMINISTRATOR))
    with city.services.reading() as session:
        actor = load_actor(session, city.rivals.lead.user_id)
    assert actor
    return actor


def test_an_account_is_given_by_administrators_and_counts_at_once(
    portal: Portal, administrator: Actor
) -> None:
    url = "/api/v1/users/chips-member/clusters/slurm"
    with (
        portal.client(portal.city.chips.member) as member,
        portal.client(portal.city.chips.lead) as lead,
        portal.client(administrator) as admin,
    ):
        refused = member.post("/api/v1/jobs", json=JOB)
        assert (refused.status_code, refused.json()["problems"][0]["field"]) == (422, "partition")
        assert "no account on the cluster slurm" in refused.json()["problems"][0]["message"]
        assert lead.put(url, json={"cluster_user": "lan", "uid": 5001}).status_code == 403
        assert lead.get("/api/v1/cluster-accounts").status_code == 403
        assert admin.put(url, json={"cluster_user": "lan", "uid": 0}).status_code == 422
        assert admin.put(url, json={"cluster_user": "lan", "uid": 5001}).json()["uid"] == 5001
        assert member.post("/api/v1/jobs", json=JOB).status_code == 201
        assert member.get("/api/v1/me").json()["cluster_accounts"] == {"slurm": "lan"}
        [listed] = admin.get("/api/v1/cluster-accounts").json()["items"]
        assert (listed["username"], listed["cluster_user"]) == ("chips-member", "lan")
        assert lead.delete(url).status_code == 403
        assert admin.delete(url).status_code == 204
        assert admin.delete(url).status_code == 404
        assert member.post("/api/v1/jobs", json=JOB).status_code == 422


def test_each_person_sees_what_is_theirs_of_a_cluster(portal: Portal, administrator: Actor) -> None:
    now = SystemClock().now()
    reserved = Reservation("rivals-tapeout", now, now + timedelta(hours=1), ("n1",), ("rivals",))
    with portal.city.services.engine.begin() as connection:
        seen = replace(cluster("slurm"), as_of=now, reservations=(reserved,))
        cluster_views.save(connection, seen)
        outages.begin(connection, "slurm", ClusterPart.SCHEDULER, "10.0.0.7 refused", at=now)
    told = {}
    for who in (portal.city.chips.member, portal.city.rivals.member, administrator):
        with portal.client(who) as client:
            slurm, own = client.get("/api/v1/clusters").json()["items"]
            page = client.get("/clusters/slurm").text
            assert client.get("/clusters").status_code == 200
        assert (slurm["name"], slurm["is_default"], own["name"], own["outages"]) == (
            "slurm",
            True,
            "memory",
            [],
        )
        assert slurm["gpus"] == [{"type": "h100", "total": 8, "free": 8}]
        name, problem = slurm["reservations"][0]["name"], slurm["outages"][0]["problem"]
        assert (name in page) is True
        told[who.username] = (name, problem, "10.0.0.7" in page)
    assert told == {
        "chips-member": ("", "", False),
        "rivals-member": ("rivals-tapeout", "", False),
        "rivals-lead": ("rivals-tapeout", "10.0.0.7 refused", False),
    }


def test_nodes_and_queue_of_a_cluster_are_read_as_the_page_shows_them(portal: Portal) -> None:
    with portal.client(portal.city.chips.member) as client:
        url = "/api/v1/clusters/memory"
        [node] = client.get(f"{url}/nodes", params={"gpu": "h100", "state": "free"}).json()["items"]
        assert (node["name"], node["use"], node["partitions"]) == ("n1", "free", ["main"])
        assert [(one["use"], one["count"]) for one in node["gpus"]] == [("free", 8)]
        assert client.get(f"{url}/nodes", params={"state": "mine"}).json()["items"] == []
        assert client.get(f"{url}/nodes", params={"state": "moon"}).status_code == 422
        [queue] = client.get(f"{url}/queue").json()["items"]
        assert (queue["partition"], queue["jobs_waiting"], queue["ahead"]) == ("main", 0, None)
        for path in ("/api/v1/clusters/moon/nodes", "/api/v1/clusters/moon/queue", "/clusters/moon"):
            assert client.get(path).status_code == 404


def test_every_page_says_what_does_not_answer_and_takes_jobs(portal: Portal) -> None:
    now = SystemClock().now()
    with portal.city.services.engine.begin() as connection:
        for name in ("slurm", "memory"):
            cluster_views.save(connection, replace(cluster(name), as_of=now))
        outages.begin(connection, "memory", ClusterPart.SCHEDULER, "gone", at=now)
    job = {**JOB, "spec": {**JOB["spec"], "partition": "memory:main"}}  # type: ignore[dict-item]
    with portal.client(portal.city.chips.member, **{"accept-language": "en"}) as client:
        assert client.post("/api/v1/jobs", json=job).status_code == 201
        start = client.post("/api/v1/jobs/estimate", json=job).json()["expected_start"]
        for path in ("/", "/jobs", "/submit", "/quota", "/clusters"):
            page = client.get(path).text
            assert "memory has not answered since" in page, path
            assert "slurm has not" not in page
    assert (start["reason"], start["latest"]) == ("SchedulerUnavailable", None)


def test_the_list_of_jobs_is_one_and_can_be_narrowed_to_a_cluster(
    portal: Portal, administrator: Actor
) -> None:
    with portal.client(administrator) as admin:
        url = "/api/v1/users/chips-member/clusters/slurm"
        assert admin.put(url, json={"cluster_user": "lan", "uid": 5001}).status_code == 200
    with portal.client(portal.city.chips.member) as client:
        for name in ("slurm", "memory"):
            job = {**JOB, "spec": {**JOB["spec"], "partition": f"{name}:main"}}  # type: ignore[dict-item]
            assert client.post("/api/v1/jobs", json=job).status_code == 201

        def listed(query: str) -> list[str]:
            found = client.get(f"/api/v1/jobs{query}").json()["items"]
            return [item["scheduler"] for item in found]

        assert listed("") == ["memory", "slurm"]
        assert listed("?cluster=slurm") == ["slurm"]
        page = client.get("/jobs?cluster=memory").text
    assert page.count('name="id"') == 1
    assert "<option selected>memory</option>" in page
