"""A city whose projects run on a real Slurm cluster, with the controller's steps taken by hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlmodel import SQLModel, col

from hpc_portal.app import cluster_views, leases
from hpc_portal.app.actor import load_actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.external.find import FindExternalStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.settle import SettleStep
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.track import Tracker, track_once
from hpc_portal.app.mirror.in_force import BudgetsInForce
from hpc_portal.app.mirror.reconcile import MirrorStep
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import ClusterAccount, Job
from quotas.balance import AssetBalance, balance
from quotas.tables import Organisation, Project
from quotas.verify import Discrepancy, verify
from schedulers.jobspec import JobSpec
from schedulers.slurm.backend import SlurmScheduler
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.external import SlurmExternalJobs
from schedulers.slurm.mirror import SlurmMirror
from schedulers.slurm.tokens import MintedTokens
from scripts.slurm_cluster.errors import CommandFailed
from scripts.slurm_cluster.instance import Instance
from tests.small_city import City, build_city

PATIENCE_SECONDS = 120.0
CLUSTER = "slurm"
MINUTE = 60
BUDGET = {"cpu": 20 * MINUTE}
"""Twenty minutes of one CPU."""


@dataclass
class Live:
    """A project of two people on the cluster; its account's name is this test's own."""

    city: City
    slurm: Instance
    client: SlurmClient
    context: ControllerContext
    account: str
    folder: Path
    mirror: MirrorStep = field(init=False)
    finder: FindExternalStep = field(init=False)
    tracker: Tracker = field(default_factory=Tracker)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new controller: it remembers nothing but what the database has."""
        self.slurm_mirror = SlurmMirror(self.client, admin_user="slurm")
        self.mirror = MirrorStep(self.context, self.slurm_mirror)
        self.finder = FindExternalStep(self.context, SlurmExternalJobs(self.client))

    def sbatch(self, *options: str, command: str = "sleep 1", user: str = "alice") -> str:
        """Submit past the portal; the job's number.

        Raises:
            CommandFailed: Slurm said no.
        """
        script = f"#!/bin/sh\n{command}\n"
        usual = ("sbatch", "--parsable", f"--account={self.account}", "--output=/dev/null", "--mem=64")
        return self.slurm.run(*usual, *options, user=user, cwd=self.folder, stdin=script).strip()

    def refusal(self, *options: str, user: str = "alice") -> str:
        """What Slurm says to a job that it does not take."""
        with pytest.raises(CommandFailed) as refused:
            self.sbatch(*options, user=user)
        return str(refused.value)

    def squeue(self, number: str, form: str = "%T %r") -> str:
        """What Slurm says about a job, also about one that ended a moment ago."""
        asked = ("--noheader", "--states=all", f"--job={number}", f"--format={form}")
        return self.slurm.run("squeue", *asked).strip()

    def sacctmgr(self, *command: str) -> str:
        return self.slurm.run("sacctmgr", "--immediate", "--noheader", "--parsable2", *command)

    def grp_tres_mins(self, *, is_direct: bool) -> dict[str, str]:
        """What Slurm itself says that the project's QOS allows."""
        listed = self.sacctmgr("show", "qos", "format=name,grptresmins")
        for line in listed.splitlines():
            name, _, limits = line.partition("|")
            if name.startswith(f"{self.account}_") and name.endswith("_direct") is is_direct:
                return dict(limit.split("=") for limit in limits.split(",") if limit)
        raise AssertionError(listed)

    async def submit(self, command: str = "true", **facts: Any) -> UUID:  # noqa: ANN401 - fields of JobSpec
        """A job of the member's, by way of the portal."""
        spec = JobSpec(name="own", argv=("/bin/sh", "-c", command), partition="short", **facts)
        request = SubmitRequest(project=self.account, spec=spec)
        with self.city.services.reading() as session:
            actor = load_actor(session, self.city.chips.member.user_id)
        assert actor
        return (await submit_job(self.city.services, actor, request)).job_id

    async def step(self) -> None:
        """Every loop of the controller once."""
        await dispatch_once(self.context)
        await track_once(self.context, self.tracker)
        await SettleStep(self.context)()

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain: {what}\n{self.slurm.run('squeue', '--all')}")
            await asyncio.sleep(0.2)

    async def until_ended(self, number: str) -> None:
        """slurmdbd knows the end of every task of a job."""

        async def ended() -> bool:
            listed = self.slurm.run(
                "sacct",
                "--noheader",
                "--parsable2",
                "--allocations",
                f"--jobs={number}",
                "--format=state,end",
            )
            rows = [line.split("|") for line in listed.split("\n") if line]
            return bool(rows) and all(end not in ("Unknown", "None") for _, end in rows)

        await self.until(ended, f"the end of {number}")

    async def until_running(self, number: str) -> None:
        async def running() -> bool:
            return self.squeue(number).startswith("RUNNING")

        await self.until(running, f"{number} runs")

    def rows(self, model: type[SQLModel]) -> list[Any]:
        with self.city.services.engine.connect() as connection:
            return list(connection.execute(select(model.__table__)))  # type: ignore[attr-defined]

    def job(self, number: str) -> Any:  # noqa: ANN401 - a row
        (found,) = [job for job in self.rows(Job) if job.scheduler_job_id == number]
        return found

    def cpu(self) -> AssetBalance:
        with self.city.services.engine.connect() as connection:
            return balance(connection, self.city.chips.project_id, datetime.now(UTC)).by_asset["cpu"]

    @property
    def discrepancies(self) -> list[Discrepancy]:
        with self.city.services.engine.connect() as connection:
            return verify(connection)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def live(slurm: Instance, tmp_path: Path) -> AsyncIterator[Live]:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    settings = SlurmSettings(cluster_name=CLUSTER, url=slurm.rest_url, jwt_key=key)
    city = build_city(
        f"sqlite:///{tmp_path / 'portal.db'}", tmp_path, clock=SystemClock(), budget=BUDGET, slurm=settings
    )
    account = f"t{uuid4().hex[:8]}"
    transact(city.services.engine, lambda connection: _take_place(connection, city, account))
    client = SlurmClient(slurm.rest_url, MintedTokens(key), polling_user="hpcportal")
    scheduler = SlurmScheduler(CLUSTER, client)
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
    folder = workspaces / "outside"
    folder.mkdir()
    folder.chmod(0o777)
    context = ControllerContext(
        engine=city.services.engine,
        clock=SystemClock(),
        scheduler=scheduler,
        lease=lease,
        workspace_root=workspaces,
        needs_accounts=True,
        budgets=BudgetsInForce(),
    )
    live = Live(city, slurm, client, context, account, folder)
    await live.finder()  # what ended before is none of the portal's
    await live.mirror()
    yield live
    await scheduler.close()
    city.services.commits.close()
    city.services.engine.dispose()


def _take_place(connection: Any, city: City, account: str) -> None:  # noqa: ANN401 - a connection
    """Names of this test's own, and accounts on the cluster for both members."""
    for tenant, name in ((city.chips, account), (city.rivals, f"{account}r")):
        connection.execute(update(Project).where(col(Project.id) == tenant.project_id).values(account=name))
        connection.execute(
            update(Organisation).where(col(Organisation.id) == tenant.organisation_id).values(slug=name)
        )
    for actor, user, uid in ((city.chips.member, "alice", 5001), (city.chips.lead, "bob", 5002)):
        connection.execute(
            insert(ClusterAccount).values(
                cluster=CLUSTER,
                user_id=actor.user_id,
                cluster_user=user,
                uid=uid,
                created_at=datetime.now(UTC),
            )
        )
