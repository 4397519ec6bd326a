"""Writes as many synthetic runs as wanted, a year of a city of 30 organisations, through the real roll-ups.

Rows of jobs, records and the journal go to the database in bulk; what they add to the roll-ups is summed and
written by `quotas.fold_usage`, as in production. It goes on where it was interrupted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, insert, select, text, update

from hpc_portal.app.db import transact
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, User
from quotas.fold_usage import sum_usage, write_usage
from quotas.grant import grant
from quotas.pricing import PriceItem
from quotas.publish_prices import publish_price_list
from quotas.slice_run import RecordedRun, day_begins_at
from quotas.tables import (
    AccountingRecord,
    Allocation,
    AllocationLine,
    Entry,
    LedgerAccount,
    Organisation,
    OrganisationKind,
    Project,
    TenantState,
    Transfer,
    TransferKind,
    table_of,
)
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState

FIRST_DAY = date(2025, 11, 1)
DAYS = 365
END_DAY = FIRST_DAY + timedelta(days=DAYS)
ORGANISATIONS = 30
PROJECTS = 200
USERS = 1000
TASKS_OF_A_JOB = 10
SEED = 20251101
CLUSTER = "danang"
PARTITIONS = (("cpu", "", 4, 0), ("cpu", "", 16, 0), ("gpu", "h100", 8, 1), ("gpu", "h100", 8, 2))
"""Name, GPU type, CPUs and GPUs of a run."""
WORKLOADS = ("rtl-regression", "spice", "pytorch-training", "")
_SPEC = JobSpec(
    name="synthetic",
    script="#!/bin/bash\nmake regress\n",
    resources=ResourceRequest(cpus_per_task=4, memory_mib_per_node=8192, walltime_seconds=7200),
).model_dump_json(exclude_defaults=True)
STATES = (JobState.COMPLETED,) * 17 + (JobState.FAILED, JobState.TIMEOUT, JobState.NODE_FAIL)
_RECORDS, _JOBS = table_of(AccountingRecord), table_of(Job)
_TRANSFERS, _ENTRIES = table_of(Transfer), table_of(Entry)
_ACCOUNTS, _LINES = table_of(LedgerAccount), table_of(AllocationLine)
_PROJECTS, _ALLOCATIONS = table_of(Project), table_of(Allocation)
_RUNS_AT_ONCE = 30_000


@dataclass(frozen=True, slots=True)
class Payer:
    """A project with its budget and its people."""

    project_id: UUID
    organisation_id: UUID
    allocation_id: UUID
    available_id: int
    consumed_id: int
    users: Sequence[UUID]


def generate(engine: Engine, runs: int) -> None:
    """Fill an empty database with so many runs, or go on filling it."""
    payers = transact(engine, _city)
    while (day := _next_day(engine)) < END_DAY:
        number = (day - FIRST_DAY).days
        count = runs * (number + 1) // DAYS - runs * number // DAYS
        transact(engine, lambda connection: write_day(connection, payers, day, count))  # noqa: B023 - runs now
    transact(engine, balance_accounts)
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()


def _city(connection: Connection) -> list[Payer]:
    """The tenants and their grants; the same ones each time."""
    lot = Random(SEED)  # noqa: S311 - synthetic
    ids = [UUID(int=lot.getrandbits(128), version=4) for _ in range(ORGANISATIONS + PROJECTS + USERS)]
    organisations, projects = ids[:ORGANISATIONS], ids[ORGANISATIONS : ORGANISATIONS + PROJECTS]
    users = ids[ORGANISATIONS + PROJECTS :]
    if not connection.execute(select(func.count()).select_from(Project)).scalar_one():
        _insert_city(connection, organisations, projects, users)
    each = USERS // PROJECTS
    people = {project: users[number * each : (number + 1) * each] for number, project in enumerate(projects)}
    return read_payers(connection, people)


def read_payers(connection: Connection, people: Mapping[UUID, Sequence[UUID]]) -> list[Payer]:
    """The grants in đồng that last longest, of each of these projects with the people who submit for it."""
    found = connection.execute(
        select(
            _PROJECTS.c.id,
            _PROJECTS.c.organisation_id,
            _LINES.c.allocation_id,
            _LINES.c.available_id,
            _LINES.c.consumed_id,
        )
        .join(_ALLOCATIONS, _ALLOCATIONS.c.project_id == _PROJECTS.c.id)
        .join(_LINES, _LINES.c.allocation_id == _ALLOCATIONS.c.id)
        .where(_LINES.c.asset == "VND")
        .order_by(_ALLOCATIONS.c.valid_to)
    )
    rows = {row.id: row for row in found}
    return [Payer(*rows[project], submitters) for project, submitters in people.items()]


def _insert_city(
    connection: Connection, organisations: Sequence[UUID], projects: Sequence[UUID], users: Sequence[UUID]
) -> None:
    at = day_begins_at(FIRST_DAY)
    kinds = list(OrganisationKind)
    common = {"state": TenantState.ACTIVE, "created_at": at}
    connection.execute(
        insert(Organisation),
        [
            {"id": one, "slug": f"org-{n}", "name": f"Organisation {n}", "kind": kinds[n % 3], **common}
            for n, one in enumerate(organisations)
        ],
    )
    connection.execute(
        insert(Project),
        [
            {
                "id": one,
                "organisation_id": organisations[n % ORGANISATIONS],
                "account": f"project-{n}",
                "name": f"Project {n}",
                **common,
            }
            for n, one in enumerate(projects)
        ],
    )
    connection.execute(
        insert(User),
        [
            {
                "id": one,
                "username": f"user-{n}",
                "display_name": f"User {n}",
                "email": "",
                "password_hash": "",
                "cluster_user": f"u{n}",
                "cluster_number": n,
                "locale": "vi",
                "theme": "auto",
                "is_active": True,
                "created_at": at,
            }
            for n, one in enumerate(users)
        ],
    )
    publish_price_list(connection, [PriceItem("cpu", 3600)], valid_from=at, actor_id=None, at=at)
    for number, project in enumerate(projects):
        grant(
            connection,
            project_id=project,
            lines={"VND": 10**15},
            valid_from=at,
            valid_to=day_begins_at(END_DAY),
            overdraft=None,
            actor_id=users[0],
            reason="synthetic",
            idempotency_key=f"synthetic-{number}",
            at=at,
        )


def _next_day(engine: Engine) -> date:
    """The first day of which nothing was written; each day is one transaction."""
    with engine.connect() as connection:
        newest = connection.execute(
            select(_JOBS.c.submitted_at).order_by(_JOBS.c.id.desc()).limit(1)
        ).scalar()
    return FIRST_DAY if newest is None else (newest + timedelta(hours=7)).date() + timedelta(days=1)


def write_day(
    connection: Connection,
    payers: Sequence[Payer],
    day: date,
    count: int,
    *,
    tasks_of_a_job: int = TASKS_OF_A_JOB,
) -> None:
    """A day's jobs, which are over, with so many runs together; the first payers have most of them."""
    runs = write_jobs(connection, payers, day, count, tasks_of_a_job=tasks_of_a_job)
    organisations = {payer.project_id: payer.organisation_id for payer in payers}
    write_usage(connection, *sum_usage(runs, organisations))


def write_jobs(
    connection: Connection, payers: Sequence[Payer], day: date, count: int, *, tasks_of_a_job: int
) -> list[tuple[RecordedRun, int, date]]:
    """The same without roll-ups; what is to be folded into them."""
    lot = Random(SEED * DAYS + day.toordinal())  # noqa: S311 - synthetic
    transfer = connection.execute(select(func.max(_TRANSFERS.c.id))).scalar() or 0
    open_from = date.min
    days: list[tuple[RecordedRun, int, date]] = []
    rows: dict[str, list[tuple[Any, ...]]] = {"job": [], "record": [], "transfer": [], "entry": []}
    begins_at = day_begins_at(day)
    jobs = max(count // tasks_of_a_job, 1)
    for number in range(jobs):
        payer = payers[int(len(payers) * lot.random() ** 2)]
        tasks = count * (number + 1) // jobs - count * number // jobs
        submitted_at = begins_at + timedelta(seconds=86_399 * number // jobs)
        job_id = UUID(int=first_id_at(submitted_at).int | lot.getrandbits(62))
        runs = list(_runs_of_job(lot, payer, submitted_at, tasks))
        days += [(run, 1, open_from) for run in runs]
        charged = sum(run.vnd for run in runs)
        rows["job"].append(_job_row(job_id, payer, runs, charged, submitted_at))
        rows["record"] += [
            _record_row(f"{job_id}/{index}/0", job_id, run, open_from) for index, run in enumerate(runs)
        ]
        if charged:
            transfer += 1
            ended_at = max(run.ended_at for run in runs)
            rows["transfer"].append(
                (transfer, TransferKind.SETTLE, f"settle:{job_id}", ended_at, ended_at, job_id, "")
            )
            rows["entry"] += [
                (transfer, payer.available_id, -charged),
                (transfer, payer.consumed_id, charged),
            ]
    _write_rows(connection, rows)
    return days


def _runs_of_job(lot: Random, payer: Payer, submitted_at: datetime, tasks: int) -> Iterator[RecordedRun]:
    user = lot.choice(payer.users)
    partition, gpu_type, cpus, gpus = lot.choice(PARTITIONS)
    workload = lot.choice(WORKLOADS)
    waited = int(lot.expovariate(1 / 600))
    started_at = submitted_at + timedelta(seconds=waited)
    for _ in range(tasks):
        seconds = 1 + min(int(lot.expovariate(1 / 3600)), 86_400 * 6)
        state = lot.choice(STATES)
        tres_seconds = {"cpu": cpus * seconds, "mem": cpus * 4096 * seconds}
        if gpus:
            tres_seconds |= {"gres/gpu": gpus * seconds, f"gres/gpu:{gpu_type}": gpus * seconds}
        is_charged = state is not JobState.NODE_FAIL
        list_vnd = (cpus + 20 * gpus) * seconds if is_charged else 0
        yield RecordedRun(
            project_id=payer.project_id,
            allocation_id=payer.allocation_id,
            user_id=user,
            cluster=CLUSTER,
            partition=partition,
            workload=workload,
            state=state.value,
            started_at=started_at,
            ended_at=started_at + timedelta(seconds=seconds),
            elapsed_seconds=seconds,
            tres_seconds=tres_seconds,
            is_charged=is_charged,
            vnd=list_vnd - list_vnd // 5,
            subsidy_vnd=list_vnd // 5,
            used_cpu_seconds=cpus * seconds * 3 // 4,
            gpu_busy_seconds=gpus * seconds // 2 if gpus else None,
            peak_mem_mib=cpus * 1280,
            waited_seconds=waited,
        )


def _job_row(
    job_id: UUID, payer: Payer, runs: Sequence[RecordedRun], charged: int, submitted_at: datetime
) -> tuple[Any, ...]:
    first = runs[0]
    ended_at = max(run.ended_at for run in runs)
    return (
        *(job_id, payer.organisation_id, payer.project_id, first.user_id, f"{first.workload or 'script'}"),
        *(
            first.workload or None,
            _SPEC,
            f"synthetic/{job_id}",
            first.partition,
            0,
            len(runs) > 1,
            False,
            Phase.SETTLED,
            first.state,
            "",
        ),
        *(CLUSTER, submitted_at, first.started_at, ended_at, ended_at, False),
        *(len(runs), 0, len(runs), 0, 0, charged, charged),
    )


_JOB_COLUMNS = (
    *("id", "organisation_id", "project_id", "user_id", "name"),
    *("template", "spec", "workspace", "partition", "priority", "is_array", "is_external", "phase", "state"),
    "state_reason",
    *("scheduler", "submitted_at", "started_at", "ended_at", "settled_at", "waits_for_jobs"),
    *("tasks_total", "tasks_running", "tasks_completed", "tasks_failed", "tasks_cancelled"),
    *("estimated_vnd", "charged_vnd"),
)


def _record_row(run_key: str, job_id: UUID, run: RecordedRun, open_from: date) -> tuple[Any, ...]:
    return (
        *(run_key, 0, job_id, run.project_id, run.user_id, run.allocation_id, 1, run.partition, run.state),
        *(run.started_at, run.ended_at, run.elapsed_seconds, json.dumps(run.tres_seconds)),
        *(run.is_charged, run.vnd, run.subsidy_vnd, "0" * 64, run.ended_at, open_from, run.cluster),
        *(run.workload, run.used_cpu_seconds, run.gpu_busy_seconds, run.peak_mem_mib, run.waited_seconds),
    )


_RECORD_COLUMNS = (
    *("run_key", "revision", "job_id", "project_id", "user_id", "allocation_id", "price_list_id"),
    *("partition", "state", "started_at", "ended_at", "elapsed_seconds", "tres_seconds", "is_charged"),
    *("vnd", "subsidy_vnd", "content_hash", "recorded_at", "open_from", "cluster", "workload"),
    *("used_cpu_seconds", "gpu_busy_seconds", "peak_mem_mib", "waited_seconds"),
)
_TRANSFER_COLUMNS = ("id", "kind", "idempotency_key", "effective_at", "booked_at", "job_id", "reason")
_ENTRY_COLUMNS = ("transfer_id", "account_id", "amount")
_TABLES = {
    "job": (_JOBS.name, _JOB_COLUMNS),
    "record": (_RECORDS.name, _RECORD_COLUMNS),
    "transfer": (_TRANSFERS.name, _TRANSFER_COLUMNS),
    "entry": (_ENTRIES.name, _ENTRY_COLUMNS),
}


def _write_rows(connection: Connection, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """In bulk, past SQLAlchemy: COPY on PostgreSQL, the driver's own executemany on SQLite."""
    for kind, (table, columns) in _TABLES.items():
        names = ", ".join(f'"{column}"' for column in columns)
        if connection.dialect.name == "postgresql":
            driver: Any = connection.connection.driver_connection
            with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows[kind]:
                    copy.write_row(row)
            continue
        marks = ", ".join("?" * len(columns))
        plain = ([_plain(value) for value in row] for row in rows[kind])
        driver = connection.connection.driver_connection
        driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", plain)  # noqa: S608


def _plain(value: Any) -> Any:  # noqa: ANN401 - of any column
    """As SQLite stores it."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value


def balance_accounts(connection: Connection) -> None:
    """The journal was written past the cached balances and ids: make them its sums, and count on from it."""
    total = (
        select(func.coalesce(func.sum(_ENTRIES.c.amount), 0))
        .where(_ENTRIES.c.account_id == _ACCOUNTS.c.id)
        .scalar_subquery()
    )
    connection.execute(update(_ACCOUNTS).values(balance=total))
    if connection.dialect.name == "postgresql":
        newest = f"(SELECT max(id) FROM {_TRANSFERS.name})"  # noqa: S608 - a name of ours
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{_TRANSFERS.name}', 'id'), {newest})")
        )
