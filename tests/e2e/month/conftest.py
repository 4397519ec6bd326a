"""An empty portal at the first instant of a month, and a cluster whose time moves only with the story."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app import cluster_views, leases
from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import load_actor
from hpc_portal.app.budgets.budget_step import BudgetStep
from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.jobs.cancel import CancelStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.settle import SettleStep
from hpc_portal.app.jobs.track import Tracker, track_once
from hpc_portal.app.schema import upgrade
from hpc_portal.app.services import Services
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import GlobalRole
from hpc_portal.asgi import create_app
from quotas.statement import Statement, StatementLine, statement
from quotas.tables import Project
from schedulers.cluster import Node, NodeState
from schedulers.memory import DEFAULT_FEATURES, ManualClock, MemoryScheduler
from schedulers.protocol import Feature
from schedulers.units import CITY_TIME
from tests.small_city import SilentWake

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
PASSWORD = "correct horse battery"
HOUR = 3600
_YEAR_SECONDS = 365 * 24 * HOUR


def local(day: int, hour: int = 0, minute: int = 0, *, month: int = 11) -> datetime:
    """An instant on the city's clocks."""
    return datetime(2026, month, day, hour, minute, tzinfo=CITY_TIME)


@dataclass
class Month:
    """The portal, its people and a cluster whose time moves only when the story moves it."""

    services: Services
    scheduler: MemoryScheduler
    context: ControllerContext
    url: str
    tracker: Tracker = field(default_factory=Tracker)
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, who: str) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=30,
            verify=False,  # noqa: S501 - plain HTTP; to read all certificates takes 20 ms for each client
            trust_env=False,
        )

    def ask(self, who: str, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
        """What somebody gets who asks; anything but a success fails the story."""
        with self.client(who) as client:
            reply = client.request(method, path, **more)
        assert reply.is_success, reply.text
        return reply.json() if reply.content else None

    def join(self, username: str, role: GlobalRole | None = None) -> None:
        """Somebody gets an account and a token."""
        new = NewUser(username=username, display_name=username.title(), password=PASSWORD, global_role=role)
        user_id = create_user(self.services, OPERATOR, new)
        with self.services.reading() as session:
            actor = load_actor(session, user_id)
        assert actor
        self.tokens[username] = issue_token(self.services, actor, name="story").secret

    def submit(self, tenant: str, name: str, *, tasks: int = 1, **asked: object) -> UUID:
        """The tenant's designer submits a job; the same for every run of the story."""
        spec: dict[str, Any] = {
            "name": name,
            "argv": ["/bin/true"],
            "resources": {"memory_mib_per_node": 1024, **asked},
        }
        if tasks > 1:
            spec["array"] = {"expression": f"0-{tasks - 1}"}
        made = self.ask(tenant, "POST", "/jobs", json={"project": tenant, "spec": spec})
        self.step()
        return UUID(made["id"])

    def until(self, at: datetime) -> None:
        """Time goes on, and the controller does its work."""
        seconds = (at - self.scheduler.clock.now()).total_seconds()
        assert seconds >= 0
        self.scheduler.advance(seconds)
        self.step()

    def finish(self, job_id: UUID, *tasks: int, exit_code: int = 0) -> None:
        for task in tasks or (0,):
            self.scheduler.finish(job_id, task, exit_code=exit_code)
        self.step()

    def step(self) -> None:
        """Every loop of the controller until none has anything left to do."""

        async def steps() -> None:
            cancel, settle = CancelStep(self.context), SettleStep(self.context)
            await BudgetStep(self.context)()
            for _ in range(3):
                while await dispatch_once(self.context):
                    pass
                await cancel()
                await track_once(self.context, self.tracker)
                while await settle():
                    pass

        asyncio.run(steps())

    def charged(self, tenant: str, job_id: UUID) -> int:
        found: int = self.ask(tenant, "GET", f"/jobs/{job_id}")["charged_vnd"]
        return found

    def statement(self, tenant: str, month: date = NOVEMBER) -> Statement:
        with self.services.reading() as session:
            connection = session.connection()
            project = connection.execute(
                select(col(Project.id)).where(col(Project.account) == tenant)
            ).scalar()
            return statement(connection, month=month, project_id=project)

    def vnd(self, tenant: str, month: date = NOVEMBER) -> StatementLine:
        [line] = [line for line in self.statement(tenant, month).lines if line.asset == "VND"]
        return line


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


@pytest.fixture
def month(database_url: str, tmp_path: Path) -> Iterator[Month]:
    """An empty portal at the first instant of November, behind a real web server."""
    start = local(1).astimezone(UTC)
    nodes = (
        Node("gpu1", NodeState.UP, cpus=64, memory_mib=256 * 1024, gpus={"h100": 8}),
        Node("eda1", NodeState.UP, cpus=64, memory_mib=256 * 1024),
    )
    scheduler = MemoryScheduler(
        clock=ManualClock(start), nodes=nodes, features=DEFAULT_FEATURES - {Feature.METERS_USAGE}
    )
    settings = Settings(state_dir=tmp_path, database_url=database_url, cluster_name=scheduler.name)
    upgrade(settings)
    engine = create_engine(database_url)
    services = Services(
        settings=settings,
        engine=engine,
        commits=GroupCommit(engine),
        wake=SilentWake(),
        clock=scheduler.clock,
    )
    snapshot = asyncio.run(scheduler.cluster())
    transact(engine, lambda connection: cluster_views.save(connection, snapshot))
    lease = transact(
        engine,
        lambda connection: leases.acquire(
            connection, "controller:memory", holder="story", now=start, seconds=_YEAR_SECONDS
        ),
    )
    assert lease
    context = ControllerContext(
        engine=engine,
        clock=scheduler.clock,
        scheduler=scheduler,
        lease=lease,
        workspace_root=tmp_path / "workspaces",
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(create_app(services), log_config=None, ws="none", timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Month(services, scheduler, context, f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.should_exit = True
        thread.join(30)
    services.commits.close()
    engine.dispose()
