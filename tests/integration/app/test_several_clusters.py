"""Two clusters in one portal: jobs find theirs, people their accounts; one that is down stops no other."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, select
from sqlmodel import col

from hpc_portal.app import outages
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user, unmap_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.controller import ControllerParts
from hpc_portal.app.controllers import run_controllers
from hpc_portal.app.errors import InvalidEntry, InvalidSubmission
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.queries import list_jobs
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.outages import Outage
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import ClusterAccount, ClusterPart, Job
from hpc_portal.app.wake import SharedWake, SocketWake
from quotas.balance import balance
from quotas.verify import verify
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.memory import MemoryScheduler
from schedulers.protocol import Submission
from tests.small_city import City, build_city

SITE = "site"
"""Stands for Slurm: people need accounts there. Its scheduler is in memory, as that of the other is."""
LAN_UID = 54_321


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    slurm = SlurmSettings(cluster_name=SITE, url="http://127.0.0.1:1", jwt_key=Path("/nowhere"))
    city = build_city(database_url, tmp_path, clock=SystemClock(), slurm=slurm)
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


@dataclass(frozen=True)
class Clusters:
    """Both, with the controllers of one process."""

    city: City
    site: MemoryScheduler
    own: MemoryScheduler

    def phase(self, job_id: UUID) -> Phase:
        with self.city.services.engine.connect() as connection:
            found = connection.execute(select(col(Job.phase)).where(col(Job.id) == job_id)).scalar_one()
        return Phase(found)

    def outages(self) -> list[Outage]:
        with self.city.services.engine.connect() as connection:
            return outages.load(connection)


class Restless(MemoryScheduler):
    """Fails at start in a way that no controller knows."""

    async def start(self) -> None:
        message = "a bug in this backend"
        raise RuntimeError(message)


@asynccontextmanager
async def running(
    city: City, folder: Path, *, site: Callable[[], MemoryScheduler] = lambda: MemoryScheduler(SITE)
) -> AsyncIterator[Clusters]:
    stop = asyncio.Event()
    found = Clusters(city, site(), MemoryScheduler("memory"))
    wake = SharedWake(SocketWake(folder / "wake.sock"))
    settings = city.services.settings.model_copy(
        update={"lease_seconds": 5.0, "track_interval_seconds": 0.05}
    )
    parts = [
        ControllerParts(
            cluster=scheduler.name,
            settings=settings,
            engine=city.services.engine,
            clock=SystemClock(),
            wake=wake,
            make_scheduler=lambda scheduler=scheduler: scheduler,  # type: ignore[misc]
        )
        for scheduler in (found.site, found.own)
    ]
    serving = asyncio.create_task(run_controllers(parts, stop))
    try:
        yield found
        assert not serving.done()
    finally:
        stop.set()
        await serving


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


def member(city: City) -> Actor:
    with city.services.reading() as session:
        actor = load_actor(session, city.chips.member.user_id)
    assert actor
    return actor


def give_account(city: City, *, uid: int = LAN_UID) -> None:
    account = AccountThere("lan", uid)
    map_cluster_user(city.services, OPERATOR, "chips-member", cluster=SITE, account=account)


async def submit(city: City, partition: str | None) -> UUID:
    resources = ResourceRequest(walltime_seconds=3600)
    spec = JobSpec(name="anywhere", argv=("/bin/true",), partition=partition, resources=resources)
    request = SubmitRequest(project="chips", spec=spec)
    return (await submit_job(city.services, member(city), request)).job_id


def scheduler_of(city: City, job_id: UUID) -> str:
    with city.services.engine.connect() as connection:
        return str(connection.execute(select(col(Job.scheduler)).where(col(Job.id) == job_id)).scalar_one())


def test_a_partition_that_several_clusters_have_must_be_named_with_its_cluster(city: City) -> None:
    give_account(city)
    with pytest.raises(InvalidSubmission, match="site:main, memory:main"):
        asyncio.run(submit(city, "main"))
    with pytest.raises(InvalidSubmission, match="no cluster nowhere"):
        asyncio.run(submit(city, "nowhere:main"))
    with pytest.raises(InvalidSubmission, match="Choose one of: main"):
        asyncio.run(submit(city, "memory:gpu"))
    with pytest.raises(InvalidSubmission, match="Choose one of: site:main, memory:main"):
        asyncio.run(submit(city, "gpu"))
    assert scheduler_of(city, asyncio.run(submit(city, "memory:main"))) == "memory"
    assert scheduler_of(city, asyncio.run(submit(city, "site:"))) == SITE
    assert scheduler_of(city, asyncio.run(submit(city, None))) == SITE


def test_without_an_account_there_nothing_is_submitted(city: City) -> None:
    with pytest.raises(InvalidSubmission, match="no account on the cluster site yet"):
        asyncio.run(submit(city, "site:main"))
    give_account(city)
    asyncio.run(submit(city, "site:main"))


def test_jobs_run_as_the_account_and_in_a_folder_of_its_own(city: City, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    give_account(city)

    async def story() -> Submission:
        async with running(city, tmp_path) as clusters:
            job_id = await submit(city, "site:main")
            await until(lambda: clusters.phase(job_id) is Phase.TRACKED)
            (job,) = clusters.site._jobs.values()
            return job.submission

    submission = asyncio.run(story())
    folder = Path(submission.workspace)
    assert (submission.cluster_user, submission.cluster_uid) == ("lan", LAN_UID)
    assert folder.parts[-3:-1] == ("chips", "lan")
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o7777) == (LAN_UID, 0o2770)
    assert folder.parent.stat().st_uid == os.geteuid()


def test_an_account_taken_away_meanwhile_refuses_the_job(city: City, tmp_path: Path) -> None:
    give_account(city)
    job_id = asyncio.run(submit(city, "site:main"))
    with city.services.engine.begin() as connection:
        connection.execute(delete(ClusterAccount))

    async def story() -> None:
        async with running(city, tmp_path) as clusters:
            await until(lambda: clusters.phase(job_id) is Phase.REFUSED)
            assert clusters.site.started == []

    asyncio.run(story())
    with city.services.engine.connect() as connection:
        assert balance(connection, city.chips.project_id, SystemClock().now()).by_asset["VND"].held == 0


def test_jobs_of_both_clusters_are_in_one_list_and_one_ledger(city: City, tmp_path: Path) -> None:
    give_account(city, uid=LAN_UID if os.geteuid() == 0 else os.geteuid())

    async def story() -> list[UUID]:
        async with running(city, tmp_path) as clusters:
            jobs = [await submit(city, partition) for partition in ("site:main", "memory:main")]
            await until(lambda: bool(clusters.site.running()) and bool(clusters.own.running()))
            for scheduler in (clusters.site, clusters.own):
                scheduler.advance(100)
                scheduler.finish_all()
            await until(lambda: all(clusters.phase(job) is Phase.SETTLED for job in jobs))
            return jobs

    jobs = asyncio.run(story())
    with city.services.reading() as session:
        listed = list_jobs(session, member(city), JobFilter()).items
    assert {job.id for job in listed} == set(jobs)
    with city.services.engine.connect() as connection:
        line = balance(connection, city.chips.project_id, SystemClock().now()).by_asset["VND"]
        assert (line.held, line.consumed > 0) == (0, True)
        assert verify(connection) == []


def test_a_cluster_that_is_down_stops_no_other_and_takes_its_jobs_later(city: City, tmp_path: Path) -> None:
    give_account(city, uid=LAN_UID if os.geteuid() == 0 else os.geteuid())

    def down() -> MemoryScheduler:
        scheduler = MemoryScheduler(SITE)
        scheduler.is_available = False
        return scheduler

    async def story() -> None:
        async with running(city, tmp_path, site=down) as clusters:
            waits, runs = await submit(city, "site:main"), await submit(city, "memory:main")
            await until(lambda: clusters.phase(runs) is Phase.TRACKED and bool(clusters.outages()))
            (outage,) = clusters.outages()
            assert (outage.cluster, outage.part) == (SITE, ClusterPart.SCHEDULER)
            assert clusters.phase(waits) is Phase.ACCEPTED
            clusters.site.is_available = True
            await until(lambda: clusters.phase(waits) is Phase.TRACKED and clusters.outages() == [])
            clusters.site.is_available = False
            await until(lambda: bool(clusters.outages()))
            later = await submit(city, "site:main")
            began = clusters.outages()[0].since
            clusters.own.finish_all()
            await until(lambda: clusters.phase(runs) is Phase.SETTLED)
            assert (clusters.phase(later), clusters.outages()[0].since) == (Phase.ACCEPTED, began)
            clusters.site.is_available = True
            await until(lambda: clusters.phase(later) is Phase.TRACKED and clusters.outages() == [])

    asyncio.run(story())


def test_a_bug_in_one_backend_stops_no_other(city: City, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(city, tmp_path, site=lambda: Restless(SITE)) as clusters:
            job_id = await submit(city, "memory:main")
            await until(lambda: clusters.phase(job_id) is Phase.TRACKED)

    asyncio.run(story())


def test_the_default_cluster_can_be_chosen(city: City) -> None:
    settings = city.services.settings.model_copy(update={"default_cluster": "memory"})
    other = replace(city, services=replace(city.services, settings=settings))
    assert scheduler_of(other, asyncio.run(submit(other, None))) == "memory"


def test_a_uid_that_owns_the_files_of_one_person_is_never_given_to_another(city: City) -> None:
    give_account(city)
    theirs = AccountThere("minh", LAN_UID)
    with pytest.raises(InvalidEntry, match="chips-member's"):
        map_cluster_user(city.services, OPERATOR, "rivals-member", cluster=SITE, account=theirs)
    unmap_cluster_user(city.services, OPERATOR, "chips-member", cluster=SITE)
    map_cluster_user(city.services, OPERATOR, "rivals-member", cluster=SITE, account=theirs)
    unmap_cluster_user(city.services, OPERATOR, "rivals-member", cluster=SITE)

    give_account(city)
    asyncio.run(submit(city, "site:main"))
    unmap_cluster_user(city.services, OPERATOR, "chips-member", cluster=SITE)
    with pytest.raises(InvalidEntry, match="was chips-member's"):
        map_cluster_user(city.services, OPERATOR, "rivals-member", cluster=SITE, account=theirs)
    give_account(city)
