"""A ledger with one project and round prices, each verb in a transaction of its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, event, func, insert, select, update
from sqlmodel import SQLModel

from quotas.append_only import append_only_ddl
from quotas.balance import AssetBalance, balance
from quotas.end_states import DEFAULT_RULES, EndRules
from quotas.errors import QuotaError
from quotas.freeze_months import freeze_ddl
from quotas.grant import grant
from quotas.hold import Held, HoldRequest, hold, hold_together
from quotas.pricing import PriceItem, PriceList
from quotas.publish_prices import publish_price_list
from quotas.release import close_hold, release_units
from quotas.settle import Charge, RunUsage, settle_runs
from quotas.table_modules import TABLE_MODULES
from quotas.tables import (
    Allocation,
    AllocationState,
    Organisation,
    OrganisationKind,
    Project,
    TenantState,
    table_of,
)
from quotas.top_up import top_up_hold
from quotas.trim_hold import trim_hold
from quotas.verify import Discrepancy, verify
from schedulers.jobstate import JobState

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
USER = UUID(int=7)
PRICES = (
    PriceItem("cpu", 3600),
    PriceItem("mem", 0),
    PriceItem("gres/gpu", 36_000),
    PriceItem("gres/gpu:h100", 36_000),
    PriceItem("license/vcs", 7200),
)
"""A second costs 1 đồng for a CPU, 10 for a GPU, 2 for a licence; memory is free."""


def open_engine(url: str) -> Engine:
    """An engine as the portal opens it, writers only."""
    engine = sqlalchemy.create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DB-API connection
    connection.isolation_level = None
    # synchronous = OFF: tests kill processes, not the machine.
    for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = OFF", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def create_tables(engine: Engine) -> None:
    """The tables of this package alone, with their triggers: nothing else is needed."""
    defined = [thing for module in TABLE_MODULES for thing in vars(module).values()]
    models = {thing for thing in defined if isinstance(thing, type) and hasattr(thing, "__table__")}
    SQLModel.metadata.create_all(engine, tables=[table_of(model) for model in models])
    with engine.begin() as conn:
        for ddl in [*append_only_ddl(engine.dialect.name), *freeze_ddl(engine.dialect.name)]:
            conn.exec_driver_sql(ddl)


def insert_project(conn: Connection, account: str) -> UUID:
    """A project of a new organisation."""
    organisation_id, project_id = uuid4(), uuid4()
    common = {"name": account, "state": TenantState.ACTIVE, "created_at": START}
    conn.execute(
        insert(table_of(Organisation)),
        {"id": organisation_id, "slug": account, "kind": OrganisationKind.STARTUP, **common},
    )
    conn.execute(
        insert(table_of(Project)),
        {"id": project_id, "organisation_id": organisation_id, "account": account, **common},
    )
    return project_id


@dataclass
class Books:
    """The ledger's verbs for one project, with defaults that a test can check by hand."""

    engine: Engine
    project_id: UUID
    price_list: PriceList
    at: datetime = START
    rules: EndRules = DEFAULT_RULES
    grants: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    @classmethod
    def open(cls, engine: Engine, account: str = "vlsi-lab") -> "Books":
        with engine.begin() as conn:
            price_list = publish_price_list(conn, PRICES, valid_from=START, actor_id=None, at=START)
            return cls(engine, insert_project(conn, account), price_list)

    def grant(
        self,
        lines: Mapping[str, int] | None = None,
        *,
        valid_from: datetime = START,
        valid_to: datetime = END,
        overdraft: Mapping[str, int] | None = None,
        key: str | None = None,
        **more_lines: int,
    ) -> UUID:
        """`grant(VND=100, cpu=50)`, or `grant({"gres/gpu": 5})`."""
        with self.engine.begin() as conn:
            return grant(
                conn,
                project_id=self.project_id,
                lines={**(lines or {}), **more_lines},
                valid_from=valid_from,
                valid_to=valid_to,
                overdraft=overdraft,
                actor_id=USER,
                reason="a test",
                idempotency_key=key or f"{self.project_id}-{next(self.grants)}",
                at=self.at,
            )

    def hold(
        self,
        job_id: UUID | None = None,
        *,
        units: int = 1,
        at_once: int | None = None,
        unit: Mapping[str, int] | None = None,
        **tres: int,
    ) -> Held:
        """`hold(cpu=100)` holds 100 CPU-seconds for a new job."""
        with self.engine.begin() as conn:
            return hold(
                conn,
                project_id=self.project_id,
                job_id=job_id or uuid4(),
                unit=unit or tres,
                units=units,
                partition="main",
                price_list=self.price_list,
                units_at_once=at_once,
                at=self.at,
            )

    def hold_together(self, *units: Mapping[str, int], jobs: Sequence[UUID] = ()) -> list[Held | QuotaError]:
        """A hold of one unit for each, in one call."""
        with self.engine.begin() as conn:
            requests = [
                HoldRequest(self.project_id, job_id, unit, 1, "main", self.price_list)
                for job_id, unit in zip(jobs or [uuid4() for _ in units], units, strict=True)
            ]
            return hold_together(conn, requests, at=self.at)

    def settle(self, job_id: UUID, *runs: RunUsage) -> list[Charge]:
        with self.engine.begin() as conn:
            return settle_runs(conn, job_id=job_id, runs=runs, at=self.at, rules=self.rules)

    def top_up(self, job_id: UUID, **tres: int) -> dict[str, int]:
        """`top_up(job, cpu=150)` makes its open units so large; `top_up(job)` fills them."""
        with self.engine.begin() as conn:
            return top_up_hold(conn, job_id=job_id, at=self.at, unit=tres or None)

    def trim(self, job_id: UUID, **tres: int) -> dict[str, int]:
        """`trim(job, cpu=50)` makes its open units no larger than that."""
        with self.engine.begin() as conn:
            return trim_hold(conn, job_id=job_id, at=self.at, unit=tres)

    def release(self, job_id: UUID, units: int) -> None:
        with self.engine.begin() as conn:
            release_units(conn, job_id=job_id, units=units, at=self.at, reason="never started")

    def close(self, job_id: UUID) -> None:
        with self.engine.begin() as conn:
            close_hold(conn, job_id, self.at)

    def set_allocation_state(self, allocation_id: UUID, state: AllocationState) -> None:
        allocations = table_of(Allocation)
        with self.engine.begin() as conn:
            conn.execute(update(allocations).where(allocations.c.id == allocation_id).values(state=state))

    def publish_twice_as_dear(self) -> None:
        dear = [PriceItem(item.tres, 2 * item.rate_vnd_per_hour) for item in PRICES]
        with self.engine.begin() as conn:
            self.price_list = publish_price_list(conn, dear, valid_from=START, actor_id=None, at=self.at)

    @property
    def balances(self) -> dict[str, AssetBalance]:
        with self.engine.begin() as conn:
            return balance(conn, self.project_id, self.at).by_asset

    def state(self, asset: str = "VND") -> tuple[int, int, int]:
        """Available, held, consumed."""
        amounts = self.balances[asset]
        return amounts.available, amounts.held, amounts.consumed

    @property
    def discrepancies(self) -> list[Discrepancy]:
        with self.engine.begin() as conn:
            return verify(conn)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Fails if what happens inside changes a row of any table."""
        before = self._all_rows()
        yield
        assert self._all_rows() == before

    def count(self, model: type[SQLModel]) -> int:
        with self.engine.begin() as conn:
            return conn.execute(select(func.count()).select_from(table_of(model))).scalar_one()

    def _all_rows(self) -> dict[str, list[tuple[Any, ...]]]:
        with self.engine.begin() as conn:
            return {table.name: _rows(conn, table) for table in _tables_of(conn)}


def run(  # noqa: PLR0913 - the facts of a run, with defaults
    key: str,
    *,
    seconds: int = 0,
    cpus: int = 1,
    state: JobState = JobState.COMPLETED,
    closes_unit: bool = True,
    started: bool = True,
    tres_seconds: Mapping[str, int] | None = None,
) -> RunUsage:
    """A run that used `seconds` of `cpus` CPUs, or the TRES given."""
    return RunUsage(
        run_key=key,
        user_id=USER,
        tres_seconds=tres_seconds if tres_seconds is not None else {"cpu": cpus * seconds},
        elapsed_seconds=seconds,
        state=state,
        started_at=START if started else None,
        ended_at=START + timedelta(seconds=seconds),
        closes_unit=closes_unit,
    )


def _tables_of(conn: Connection) -> Iterable[Table]:
    present = set(sqlalchemy.inspect(conn).get_table_names())
    return [table for table in SQLModel.metadata.sorted_tables if table.name in present]


def _rows(conn: Connection, table: Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in conn.execute(select(table))), key=repr)
