"""A small city in late November 2026, with runs whose sums can be done by hand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, insert

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.tables import GlobalRole
from quotas.amounts import BYTES_PER_GIB
from quotas.charge import charge_run
from quotas.close_month import close_month
from quotas.measured_storage import Measured, record_storage
from quotas.periods import next_month
from quotas.runs import RunUsage
from quotas.tables import Organisation, OrganisationKind, Project, TenantState
from schedulers.jobstate import JobState
from schedulers.memory import ManualClock
from tests.integration.api.conftest import portal
from tests.small_city import GRANTED_AT, City, Tenant, build_city

__all__ = ["portal"]

NOW = datetime(2026, 11, 26, 1, tzinfo=UTC)
"""08:00 in Da Nang."""


@dataclass
class Books:
    """The city, and runs charged to it."""

    city: City
    clock: ManualClock

    def charge(  # noqa: PLR0913 - the facts of a run, by keyword
        self,
        tenant: Tenant,
        key: str,
        *,
        started_at: datetime,
        seconds: int,
        tres: dict[str, int],
        user: Actor | None = None,
        state: JobState = JobState.COMPLETED,
        job_id: UUID | None = None,
        **measured: object,
    ) -> None:
        """A run that had so much of each TRES for so many seconds."""
        run = RunUsage(
            run_key=key,
            user_id=(user or tenant.member).user_id,
            tres_seconds={name: amount * seconds for name, amount in tres.items()},
            elapsed_seconds=seconds,
            state=state,
            started_at=started_at,
            ended_at=started_at + timedelta(seconds=seconds),
            closes_unit=True,
            cluster="memory",
        )
        measured_run = replace(run, **measured)  # type: ignore[arg-type]
        transact(
            self.city.services.engine,
            lambda connection: charge_run(
                connection,
                job_id=job_id or new_id(),
                project_id=tenant.project_id,
                partition="main",
                run=measured_run,
                at=run.ended_at + timedelta(minutes=1),
            ),
        )

    def organisation(self, slug: str, kind: OrganisationKind) -> Tenant:
        """One more organisation with a project of the same name; its people are those of chips."""
        organisation_id, project_id = new_id(), new_id()
        facts = {"state": TenantState.ACTIVE, "created_at": GRANTED_AT}

        def create(connection: object) -> None:
            connection.execute(  # type: ignore[attr-defined]
                insert(Organisation).values(
                    id=organisation_id, slug=slug, name=slug.title(), kind=kind, **facts
                )
            )
            connection.execute(  # type: ignore[attr-defined]
                insert(Project).values(
                    id=project_id, organisation_id=organisation_id, account=slug, name=slug, **facts
                )
            )

        transact(self.city.services.engine, create)
        return replace(self.city.chips, organisation_id=organisation_id, project_id=project_id, account=slug)

    def store(self, tenant: Tenant, gib_by_day: Mapping[int, int]) -> None:
        """What lay in a project's workspace on days of November."""

        def work(connection: Connection) -> None:
            for day, gib in gib_by_day.items():
                measured = Measured(gib * BYTES_PER_GIB, entries=1)
                record_storage(
                    connection, tenant.project_id, measured, at=datetime(2026, 11, day, 3, tzinfo=UTC)
                )

        transact(self.city.services.engine, work)

    def close_through(self, month: date) -> None:
        """Close every month from the first grant on, up to and including this one."""
        first = GRANTED_AT.date()
        while first <= month:
            transact(
                self.city.services.engine,
                lambda connection, one=first: close_month(  # type: ignore[misc]
                    connection, month=one, actor_id=None, reason="", unsettled=0, at=NOW
                ),
            )
            first = next_month(first)

    @property
    def auditor(self) -> Actor:
        """Sees all, changes nothing."""
        return replace(self.city.chips.lead, global_role=GlobalRole.AUDITOR, projects={}, organisations={})


@pytest.fixture
def books(database_url: str, tmp_path: Path) -> Iterator[Books]:
    """Once on SQLite, once on PostgreSQL."""
    clock = ManualClock(NOW)
    city = build_city(database_url, tmp_path, clock=clock)
    yield Books(city, clock)
    city.services.commits.close()
    city.services.engine.dispose()


@pytest.fixture
def city(books: Books) -> City:
    """What the portal serves."""
    return books.city


@pytest.fixture
def november(books: Books) -> Books:
    """Three runs: 2 H100 for an hour, one CPU over the end of October, and ten CPUs that failed.

    72,000 + 1,440 đồng; 180 of October and 180 of November; 1,000 đồng of the other startup.
    """
    books.charge(
        books.city.chips,
        "a",
        started_at=datetime(2026, 11, 10, 2, tzinfo=UTC),
        seconds=3600,
        tres={"cpu": 4, "gres/gpu": 2, "gres/gpu:h100": 2},
        gpu_busy_seconds=1800,
        used_cpu_seconds=3600,
        waited_seconds=60,
        workload="ai.training",
    )
    books.charge(
        books.city.chips,
        "b",
        started_at=datetime(2026, 10, 31, 16, 30, tzinfo=UTC),
        seconds=3600,
        tres={"cpu": 1},
        user=books.city.chips.lead,
    )
    books.charge(
        books.city.rivals,
        "c",
        started_at=datetime(2026, 11, 11, 2, tzinfo=UTC),
        seconds=1000,
        tres={"cpu": 10},
        state=JobState.FAILED,
    )
    return books
