"""A city whose jobs run on a real Slurm cluster, with the controller's steps taken by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from hpc_portal.app import cluster_views, leases
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.campaigns.collect import CollectStep
from hpc_portal.app.campaigns.queries import CampaignView, get_campaign
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.carry_changes import ChangeStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.queries import JobDetail, get_job
from hpc_portal.app.jobs.settle import SettleStep
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.track import Tracker, track_once
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import ClusterAccount
from quotas.balance import AssetBalance, balance
from quotas.tables import Organisation, Project
from quotas.verify import verify
from schedulers.dask.node import default_runtime_paths
from schedulers.slurm.backend import SlurmScheduler
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.tokens import MintedTokens
from scripts.slurm_cluster.instance import Instance
from tests.small_city import City, build_city

CLUSTER = "slurm"
PATIENCE_SECONDS = 280.0


@dataclass
class Live:
    """A project on the cluster; its account's name is this test's own."""

    city: City
    slurm: Instance
    context: ControllerContext
    account: str
    tracker: Tracker = field(default_factory=Tracker)

    def __post_init__(self) -> None:
        self._steps = [step(self.context) for step in (ChangeStep, SettleStep, CollectStep)]

    async def submit(self, template: str, **parameters: Any) -> UUID:  # noqa: ANN401 - a form
        """A job of the member's, by way of the portal."""
        return await self.submit_request(
            SubmitRequest(project=self.account, template=template, parameters=parameters)
        )

    async def submit_request(self, request: SubmitRequest) -> UUID:
        return (await submit_job(self.city.services, self.member, request)).job_id

    @property
    def member(self) -> Actor:
        """With the account on this cluster."""
        with self.city.services.reading() as session:
            actor = load_actor(session, self.city.chips.member.user_id)
        assert actor
        return actor

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take the controller's steps until it is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited in vain for {what}\n{self.slurm.run('squeue', '--all')}"
            )
            await dispatch_once(self.context)
            await track_once(self.context, self.tracker)
            for step in self._steps:
                await step()
            await asyncio.sleep(0.2)

    async def until_settled(self, job_id: UUID) -> JobDetail:
        await self.until(lambda: self.job(job_id).phase == "settled", f"job {job_id} to be settled")
        return self.job(job_id)

    def job(self, job_id: UUID) -> JobDetail:
        with self.city.services.reading() as session:
            return get_job(session, self.city.chips.member, job_id)

    def campaign(self, campaign_id: UUID) -> CampaignView:
        with self.city.services.reading() as session:
            return get_campaign(session, self.city.chips.member, campaign_id)

    def workspace(self, job_id: UUID) -> Path:
        return self.context.workspace_root / str(self.job(job_id).workspace)

    def sacct(self, job_id: UUID, field: str) -> list[str]:
        """What slurmdbd says of every task that it has."""
        asked = ("--noheader", "--parsable2", "--allocations", "--array", f"--format={field}")
        number = self.job(job_id).scheduler_job_id
        return self.slurm.run("sacct", *asked, f"--jobs={number}").split("\n")[:-1]

    def money(self) -> AssetBalance:
        with self.city.services.engine.connect() as connection:
            assert verify(connection) == []
            return balance(connection, self.city.chips.project_id, datetime.now(UTC)).by_asset["VND"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def programs() -> dict[str, list[str]]:
    """What the site told of its nodes; a test that tells something has a fixture so named."""
    return {}


@pytest.fixture
async def live(slurm: Instance, tmp_path: Path, programs: dict[str, list[str]]) -> AsyncIterator[Live]:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    settings = SlurmSettings(cluster_name=CLUSTER, url=slurm.rest_url, jwt_key=key)
    city = build_city(f"sqlite:///{tmp_path / 'portal.db'}", tmp_path, clock=SystemClock(), slurm=settings)
    account = f"t{uuid4().hex[:8]}"
    slurm.run("sacctmgr", "--immediate", "add", "account", account)
    slurm.run("sacctmgr", "--immediate", "add", "user", "alice", f"account={account}")
    transact(city.services.engine, lambda connection: _take_place(connection, city, account))
    scheduler = SlurmScheduler(
        CLUSTER,
        SlurmClient(slurm.rest_url, MintedTokens(key), polling_user="hpcportal"),
        admin_user="slurm",
        runtime_paths=default_runtime_paths(),
        programs=programs,
    )
    await scheduler.start()
    snapshot = await scheduler.cluster()
    transact(city.services.engine, lambda connection: cluster_views.save(connection, snapshot))
    lease = transact(
        city.services.engine,
        lambda connection: leases.acquire(
            connection, f"controller:{CLUSTER}", holder="test", now=datetime.now(UTC), seconds=10_000
        ),
    )
    assert lease
    workspaces = slurm.workspace / account
    workspaces.mkdir(mode=0o711)
    context = ControllerContext(
        engine=city.services.engine,
        clock=SystemClock(),
        scheduler=scheduler,
        lease=lease,
        workspace_root=workspaces,
        needs_accounts=True,
    )
    yield Live(city, slurm, context, account)
    await scheduler.close()
    city.services.commits.close()
    city.services.engine.dispose()


def _take_place(connection: Any, city: City, account: str) -> None:  # noqa: ANN401 - a connection
    """A name of this test's own, and the member's account on the cluster."""
    project, organisation = city.chips.project_id, city.chips.organisation_id
    connection.execute(update(Project).where(col(Project.id) == project).values(account=account))
    connection.execute(update(Organisation).where(col(Organisation.id) == organisation).values(slug=account))
    connection.execute(
        insert(ClusterAccount).values(
            cluster=CLUSTER,
            user_id=city.chips.member.user_id,
            cluster_user="alice",
            uid=5001,
            created_at=datetime.now(UTC),
        )
    )
