"""What a cluster gives otherwise than asked is held, kept in the job, and told before the click."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hpc_portal.app import cluster_views
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import load_actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.change import request_one_change
from hpc_portal.app.jobs.estimate import JobEstimate, estimate_job
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.settings import SlurmSettings
from schedulers.cluster import Ability
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.protocol import SetWalltime
from tests.small_city import City, build_city, cluster

Cities = Callable[[SlurmSettings], City]


@pytest.fixture
def build(database_url: str, tmp_path: Path) -> Iterator[Cities]:
    """Makes a city whose default cluster counts as Slurm does."""
    made: list[City] = []

    def city(slurm: SlurmSettings) -> City:
        built = build_city(database_url, tmp_path, clock=SystemClock(), slurm=slurm)
        made.append(built)
        known = replace(cluster("slurm"), walltime_step_seconds=60, abilities=frozenset({Ability.QOS}))
        transact(built.services.engine, lambda connection: cluster_views.save(connection, known))
        account = AccountThere("lan", 54_321)
        map_cluster_user(built.services, OPERATOR, "chips-member", cluster="slurm", account=account)
        with built.services.reading() as session:
            member = load_actor(session, built.chips.member.user_id)
        assert member
        return replace(built, chips=replace(built.chips, member=member))

    yield city
    for built in made:
        built.services.commits.close()
        built.services.engine.dispose()


def slurm(*, mirror_quotas: bool = False) -> SlurmSettings:
    return SlurmSettings(url="http://127.0.0.1:1", jwt_key=Path("/nowhere"), mirror_quotas=mirror_quotas)


def request(where: str, *, seconds: int, qos: str | None = None) -> SubmitRequest:
    resources = ResourceRequest(walltime_seconds=seconds)
    spec = JobSpec(name="sim", argv=("/bin/true",), partition=where, resources=resources, qos=qos)
    return SubmitRequest(project="chips", spec=spec)


def estimate(city: City, wish: SubmitRequest) -> JobEstimate:
    return estimate_job(city.services, city.chips.member, wish)


def test_a_time_limit_is_held_as_long_as_the_cluster_lets_the_job_run(build: Cities) -> None:
    city = build(slurm())
    seen = estimate(city, request("slurm:main", seconds=61))
    assert seen.spec.resources.walltime_seconds == 120
    assert seen.needed["VND"] == seen.total_vnd
    assert seen.notes == ("This cluster rounds time limits up: 00:01:01 becomes 00:02:00.",)
    exact = estimate(city, request("slurm:main", seconds=120))
    assert (exact.notes, exact.total_vnd) == ((), seen.total_vnd)
    own = estimate(city, request("memory:main", seconds=61))
    assert (own.notes, own.spec.resources.walltime_seconds) == ((), 61)


def test_a_changed_time_limit_is_held_as_long_too(build: Cities) -> None:
    city = build(slurm())
    member = city.chips.member
    submitted = asyncio.run(submit_job(city.services, member, request("slurm:main", seconds=61)))
    request_one_change(city.services, member, submitted.job_id, SetWalltime(121))
    with city.services.reading() as session:
        job = get_job(session, member, submitted.job_id)
    assert job.spec.resources.walltime_seconds == 180
    assert job.estimated_vnd == estimate(city, request("slurm:main", seconds=180)).total_vnd


@pytest.mark.parametrize("enforces", [True, False])
def test_where_the_budget_is_the_qos_a_named_one_is_said_not_to_count(
    build: Cities, *, enforces: bool
) -> None:
    city = build(slurm(mirror_quotas=enforces))
    notes = estimate(city, request("slurm:main", seconds=60, qos="high")).notes
    assert [("QOS high" in note, "does not count" in note) for note in notes] == [(True, True)] * enforces
