"""A city whose cluster gives out accounts, enforces budgets and keeps its own accounting, all in memory."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from sqlalchemy import Executable, insert, select, update
from sqlmodel import SQLModel, col

from hpc_portal.app import leases
from hpc_portal.app.db import transact
from hpc_portal.app.external.find import FindExternalStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.mirror.in_force import BudgetsInForce
from hpc_portal.app.mirror.reconcile import MirrorStep
from hpc_portal.app.tables import ClusterAccount, Job, JobTask
from quotas.balance import balance
from quotas.verify import Discrepancy, verify
from schedulers.cluster import Ability, ClusterSnapshot
from schedulers.errors import SchedulerRefused, SchedulerUnavailable
from schedulers.external import ExternalRun
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.memory import ManualClock, MemoryScheduler
from schedulers.mirror import Account, Change, ClusterAccounts, PutMember, after
from tests.small_city import City, build_city

CLUSTER = "memory"
AN, BINH = "an", "binh"
"""Accounts of the lead and the member of the chips project."""


class MemorySchedulerWithQos(MemoryScheduler):
    """As Slurm: a job may name the budget that it uses."""

    def _cluster(self) -> ClusterSnapshot:
        return replace(super()._cluster(), abilities=frozenset({Ability.QOS}))


@dataclass
class ClusterInMemory:
    """Keeps accounts and budgets, and does what it is told unless it is away or refuses a user."""

    has: ClusterAccounts = field(default_factory=ClusterAccounts)
    changes: list[Change] = field(default_factory=list)
    looks: int = 0
    is_away: bool = False
    refuses: frozenset[str] = frozenset()

    async def seen(self) -> ClusterAccounts:
        self._require_there()
        self.looks += 1
        return self.has

    async def apply(self, changes: Sequence[Change]) -> None:
        self._require_there()
        for change in changes:
            if isinstance(change, PutMember):
                if change.wanted.user in self.refuses:
                    raise SchedulerRefused("Unknown user")
                assert change.wanted.account in self.has.accounts
            self.changes.append(change)
            self.has = after(self.has, [change])

    def _require_there(self) -> None:
        if self.is_away:
            raise SchedulerUnavailable("slurmdbd is away")


@dataclass
class AccountingInMemory:
    """Runs that a window finds when it overlaps their life."""

    records: dict[tuple[str, datetime], ExternalRun] = field(default_factory=dict)
    windows: list[tuple[datetime, datetime]] = field(default_factory=list)
    is_away: bool = False

    def put(self, *runs: ExternalRun) -> None:
        self.records |= {(run.key, run.submitted_at): run for run in runs}

    async def runs(self, *, start: datetime, end: datetime) -> Sequence[ExternalRun]:
        if self.is_away:
            raise SchedulerUnavailable("slurmdbd is away")
        self.windows.append((start, end))
        return [
            run
            for run in self.records.values()
            if run.submitted_at <= end and (run.ended_at is None or run.ended_at >= start)
        ]


@dataclass
class Outside:
    """One city and one cluster that people also reach past the portal."""

    city: City
    scheduler: MemoryScheduler
    clock: ManualClock
    context: ControllerContext
    cluster: ClusterInMemory
    accounting: AccountingInMemory
    mirror: MirrorStep
    finder: FindExternalStep

    def reflect(self) -> None:
        """One pass of the mirror."""
        asyncio.run(self.mirror())

    def find(self, *, after: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass, then one pass over the accounting."""
        self.clock.advance(after.total_seconds())
        asyncio.run(self.finder())

    def submit(self, **resources: Any) -> UUID:  # noqa: ANN401 - any of its fields
        """A job of the member's, submitted in the portal and handed over if it can be."""
        spec = JobSpec(name="own", argv=("/bin/true",), resources=ResourceRequest(**resources))
        request = SubmitRequest(project="chips", spec=spec)
        submitted = asyncio.run(submit_job(self.city.services, self.city.chips.member, request))
        self.dispatch()
        return submitted.job_id

    def dispatch(self) -> None:
        """Hand over what may be, a little later."""
        self.clock.advance(3)
        asyncio.run(dispatch_once(self.context))

    def restart(self) -> None:
        """A new controller: it remembers nothing but what the database has."""
        self.mirror = MirrorStep(self.context, self.cluster)
        self.finder = FindExternalStep(self.context, self.accounting)

    def run(self, number: str = "812", **facts: Any) -> ExternalRun:  # noqa: ANN401 - any of its fields
        """A run of one CPU that waits since now."""
        usual: dict[str, Any] = {
            "scheduler_job_id": number,
            "task_index": 0,
            "is_array": False,
            "tasks": 1,
            "submitted_at": self.clock.now(),
            "claims_job": None,
            "cluster_user": BINH,
            "account": "chips",
            "name": "sim",
            "partition": "main",
            "qos": "",
            "state": JobState.PENDING,
            "requested_tres": {"cpu": 1, "mem": 1024, "node": 1},
        }
        return ExternalRun(**{**usual, **facts})

    def ended(self, run: ExternalRun, *, seconds: int, state: JobState = JobState.COMPLETED) -> ExternalRun:
        """The same after so many seconds on one CPU."""
        start = run.submitted_at
        return replace(
            run,
            state=state,
            started_at=start,
            ended_at=start + timedelta(seconds=seconds),
            elapsed_seconds=seconds,
            allocated_tres=run.allocated_tres or {"cpu": 1, "node": 1},
            exit_code=0 if state is JobState.COMPLETED else 1,
            exit_signal=0,
            nodes=("n1",),
        )

    def rows(self, model: type[SQLModel]) -> list[Any]:
        with self.city.services.engine.connect() as connection:
            return list(connection.execute(select(model.__table__)))  # type: ignore[attr-defined]

    @property
    def jobs(self) -> list[Any]:
        return sorted(self.rows(Job), key=lambda job: job.id)

    @property
    def tasks(self) -> list[Any]:
        return sorted(self.rows(JobTask), key=lambda task: (task.job_id, task.task_index))

    def vnd(self) -> tuple[int, int, int]:
        """(available, held, consumed) of the chips project."""
        with self.city.services.engine.connect() as connection:
            line = balance(connection, self.city.chips.project_id, self.clock.now()).by_asset["VND"]
            return line.available, line.held, line.consumed

    @property
    def discrepancies(self) -> list[Discrepancy]:
        with self.city.services.engine.connect() as connection:
            return verify(connection)

    def execute(self, statement: Executable) -> None:
        transact(self.city.services.engine, lambda connection: connection.execute(statement))

    def map_user(self, user_id: UUID, name: str) -> None:
        uid = 5000 + crc32(name.encode()) % 50_000  # of one name only
        self.execute(
            insert(ClusterAccount).values(
                cluster=CLUSTER, user_id=user_id, cluster_user=name, uid=uid, created_at=self.clock.now()
            )
        )

    def set_job(self, job_id: UUID, **values: object) -> None:
        self.execute(update(Job).where(col(Job.id) == job_id).values(values))

    def foreign_account(self, name: str) -> None:
        """One that the site made itself."""
        self.cluster.has = replace(
            self.cluster.has, accounts={**self.cluster.has.accounts, name: Account(name, "the site's")}
        )


@pytest.fixture
def outside(database_url: str, tmp_path: Path) -> Iterator[Outside]:
    scheduler = MemorySchedulerWithQos()
    city = build_city(database_url, tmp_path, clock=scheduler.clock)
    lease = transact(
        city.services.engine,
        lambda connection: leases.acquire(
            connection, f"controller:{CLUSTER}", holder="test", now=scheduler.clock.now(), seconds=10_000_000
        ),
    )
    assert lease
    context = ControllerContext(
        engine=city.services.engine,
        clock=scheduler.clock,
        scheduler=scheduler,
        lease=lease,
        workspace_root=tmp_path / "workspaces",
        needs_accounts=True,
        budgets=BudgetsInForce(),
    )
    known = ("cpu", "mem", "node", "gres/gpu", "gres/gpu:h100", "license/vcs")
    cluster = ClusterInMemory(ClusterAccounts(tres=frozenset(known)))
    accounting = AccountingInMemory()
    world = Outside(
        city,
        scheduler,
        scheduler.clock,
        context,
        cluster,
        accounting,
        MirrorStep(context, cluster),
        FindExternalStep(context, accounting),
    )
    world.map_user(city.chips.lead.user_id, AN)
    world.map_user(city.chips.member.user_id, BINH)
    world.find()  # what ended before is none of the portal's
    yield world
    city.services.commits.close()
    city.services.engine.dispose()
