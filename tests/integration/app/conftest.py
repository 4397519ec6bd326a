"""A city on each database, with a scheduler in memory and loops that tests step by hand."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select
from sqlmodel import col

from hpc_portal.app import leases
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.cancel import CancelStep
from hpc_portal.app.jobs.carry_changes import ChangeStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.dependencies import give_up_hopeless, resolve_dependencies
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.settle import SettleStep
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.track import Tracker, track_once
from hpc_portal.app.tables import Job, JobTask
from quotas.balance import balance
from quotas.verify import verify
from schedulers.jobspec import JobSpec
from schedulers.memory import DEFAULT_FEATURES, ManualClock, MemoryScheduler
from schedulers.protocol import Feature
from tests.small_city import City, build_city

LEASE_SECONDS = 10_000.0


@dataclass
class Story:
    """One city, one scheduler, one controller; time moves only when a test moves it."""

    city: City
    scheduler: MemoryScheduler
    clock: ManualClock
    context: ControllerContext
    tracker: Tracker = field(default_factory=Tracker)

    def submit(
        self,
        spec: JobSpec,
        *,
        actor: Actor | None = None,
        project: str = "chips",
        idempotency_key: str | None = None,
    ) -> UUID:
        who = actor or self.city.chips.member
        request = SubmitRequest(project=project, spec=spec, idempotency_key=idempotency_key)
        return asyncio.run(submit_job(self.city.services, who, request)).job_id

    def step(self) -> None:
        """Let every loop run until none has anything left to do."""

        async def steps() -> None:
            cancel, change = CancelStep(self.context), ChangeStep(self.context)
            settle = SettleStep(self.context)
            for _ in range(3):
                await resolve_dependencies(self.context)
                while await dispatch_once(self.context):
                    pass
                await give_up_hopeless(self.context)
                await cancel()
                while await change():
                    pass
                await track_once(self.context, self.tracker)
                while await settle():
                    pass

        asyncio.run(steps())

    def job(self, job_id: UUID) -> Row[Any]:
        with self.city.services.engine.connect() as connection:
            return connection.execute(select(Job.__table__).where(col(Job.id) == job_id)).one()  # type: ignore[attr-defined]

    def runs(self, job_id: UUID) -> list[Row[Any]]:
        with self.city.services.engine.connect() as connection:
            statement = select(JobTask.__table__).where(col(JobTask.job_id) == job_id)  # type: ignore[attr-defined]
            return list(connection.execute(statement.order_by(col(JobTask.task_index), col(JobTask.attempt))))

    def vnd(self, project_id: UUID | None = None) -> tuple[int, int, int]:
        """(available, held, consumed) đồng of the chips project."""
        with self.city.services.engine.connect() as connection:
            line = balance(connection, project_id or self.city.chips.project_id, self.clock.now()).by_asset[
                "VND"
            ]
            return line.available, line.held, line.consumed

    def require_exact_ledger(self) -> None:
        with self.city.services.engine.connect() as connection:
            assert verify(connection) == []


@pytest.fixture
def features() -> frozenset[Feature]:
    """What the scheduler can do; tests that need more have a fixture of this name of their own."""
    return DEFAULT_FEATURES


@pytest.fixture
def licenses() -> dict[str, int]:
    """What the cluster has; tests that need some have a fixture of this name of their own."""
    return {}


@pytest.fixture
def story(
    database_url: str, tmp_path: Path, features: frozenset[Feature], licenses: dict[str, int]
) -> Iterator[Story]:
    scheduler = MemoryScheduler(features=features, licenses=licenses)
    city = build_city(database_url, tmp_path, clock=scheduler.clock)
    services = city.services
    lease = transact(
        services.engine,
        lambda connection: leases.acquire(
            connection, "controller:memory", holder="test", now=scheduler.clock.now(), seconds=LEASE_SECONDS
        ),
    )
    assert lease
    context = ControllerContext(
        engine=services.engine,
        clock=scheduler.clock,
        scheduler=scheduler,
        lease=lease,
        workspace_root=tmp_path / "workspaces",
    )
    yield Story(city, scheduler, scheduler.clock, context)
    services.commits.close()
    services.engine.dispose()
