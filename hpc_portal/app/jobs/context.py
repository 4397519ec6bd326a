"""What the controller's loops work with: one scheduler, the database, and the lease that makes them ours."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine

from hpc_portal.app import leases
from hpc_portal.app.clock import Clock
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.say_once import SaidBefore
from hpc_portal.app.leases import HeldLease
from hpc_portal.app.mirror.in_force import BudgetsInForce
from schedulers.protocol import JobRef, Scheduler

T = TypeVar("T")


class Tracked:
    """Jobs under way by our id: dispatch adds, track drops. Rebuilt from the database."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, JobRef] = {}
        self.looked_at: datetime | None = None
        """When the scheduler last told how they stand."""
        self._fresh: set[UUID] = set()

    def add(self, jobs: Mapping[UUID, JobRef]) -> None:
        """Follow more jobs. The scheduler may have told of them before; see `fresh`."""
        self.jobs.update(jobs)
        self._fresh.update(jobs)

    def replace(self, jobs: Mapping[UUID, JobRef]) -> None:
        """Follow exactly these and what was added since they were read."""
        self.jobs = {**jobs, **{key: self.jobs[key] for key in self._fresh}}

    @property
    def fresh(self) -> frozenset[UUID]:
        """Those of which everything must be asked once, not only changes; `recorded` says that it was."""
        return frozenset(self._fresh)

    def recorded(self, keys: Collection[UUID]) -> None:
        """What is known of these was asked for and written down."""
        self._fresh.difference_update(keys)

    @property
    def has_fresh(self) -> bool:
        """Whether something was added that nobody has asked about."""
        return bool(self._fresh)

    def drop(self, ended: Collection[UUID]) -> list[JobRef]:
        """Follow these no more; returns those that were followed."""
        self._fresh.difference_update(ended)
        return [ref for job_id in ended if (ref := self.jobs.pop(job_id, None))]


@dataclass(frozen=True, slots=True)
class ControllerContext:
    """Passed to every step of a loop."""

    engine: Engine
    clock: Clock
    scheduler: Scheduler
    lease: HeldLease
    workspace_root: Path
    cluster_uid_base: int = 0
    needs_accounts: bool = False
    """The site gives out the accounts that jobs run as; a job's folder is its account's before it starts."""
    budgets: BudgetsInForce | None = None
    """Where the cluster enforces budgets itself: those that it knows already."""
    tracked: Tracked = field(default_factory=Tracked)
    said: SaidBefore = field(default_factory=SaidBefore)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that commits only while the lease is ours.

        Raises:
            LeaseLost: it is not; nothing was written.
        """

        def guarded(connection: Connection) -> T:
            leases.require(connection, self.lease)
            return work(connection)

        return await asyncio.to_thread(transact, self.engine, guarded)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that only reads."""

        def reading() -> T:
            with self.engine.connect() as connection:
                return work(connection)

        return await asyncio.to_thread(reading)
