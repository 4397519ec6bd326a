"""Reports from roll-ups against the same questions on raw runs, over one and over ten million runs.

HPC_PORTAL_BENCH_RUNS names other sizes (`100000,1000000`). The databases stay in HPC_PORTAL_BENCH_FOLDER (by
default ~/.cache/hpc-portal-bench) and are gone on with where they were interrupted: one core is busy for
about two minutes, and 1 GB is needed, for each million runs the first time.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import writing
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.queries import list_jobs
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.usage import UsageQuery, report_usage
from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.app.tables import GlobalRole, User
from hpc_portal.app.wiring import build_engine
from hpc_portal.web.reports import LINES_OF_A_PAGE
from quotas.fold_usage import UsageBatch
from quotas.rebuild_usage import rebuild_day
from quotas.slice_run import RecordedRun
from quotas.statement import statement
from quotas.tables import Project
from quotas.usage_report import Dimension, usage_totals
from tests.benchmarks.synthetic_runs import CLUSTER, FIRST_DAY, generate

pytestmark = pytest.mark.benchmark

SIZES = [int(size) for size in os.environ.get("HPC_PORTAL_BENCH_RUNS", "1000000,10000000").split(",")]
FOLDER = Path(os.environ.get("HPC_PORTAL_BENCH_FOLDER", Path.home() / ".cache" / "hpc-portal-bench"))
GENERATION = "4"
"""Change it when the generator or the tables change."""
YEAR_ENDS = date(2026, 11, 1)
MONTH, MONTH_ENDS = date(2026, 5, 1), date(2026, 6, 1)
REPEATS = 15
RAW_REPEATS = 1
_LOCAL_MONTH = "strftime('%Y-%m', r.ended_at, '+7 hours')"
_LOCAL_DAY = "date(r.ended_at, '+7 hours')"
_SUMS = (
    "count(*), sum(r.elapsed_seconds), sum(json_extract(r.tres_seconds, '$.cpu')), "
    "sum(json_extract(r.tres_seconds, '$.\"gres/gpu\"')), sum(r.vnd)"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One page, and the same from raw runs."""

    name: str
    ask: Callable[[Connection], object]
    raw: str
    """SQL over `accounting_record r` and what it needs."""


@pytest.fixture(scope="module", params=SIZES)
def city(request: pytest.FixtureRequest) -> Iterator[tuple[int, Engine]]:
    size: int = request.param
    settings = Settings(state_dir=FOLDER / f"runs-{size}-{GENERATION}")
    upgrade(settings)
    engine = build_engine(settings)
    began, used = time.perf_counter(), time.process_time()
    generate(engine, size)
    took = time.perf_counter() - began
    if took > 1:
        print(f"\n{size:,} runs written in {took:.0f} s ({time.process_time() - used:.0f} s CPU)")
    yield size, engine
    engine.dispose()


def questions(connection: Connection) -> list[Question]:
    row = connection.execute(
        select(col(Project.id), col(Project.organisation_id)).where(col(Project.account) == "project-20")
    ).one()
    project, organisation = row.id, row.organisation_id
    actor = _administrator(connection)

    def totals(*by: Dimension, **period: object) -> Callable[[Connection], object]:
        return lambda conn: usage_totals(conn, by=by, **period)  # type: ignore[arg-type]

    year = {"since": FIRST_DAY, "until": YEAR_ENDS}
    month = {"since": MONTH, "until": MONTH_ENDS}
    by_user = UsageQuery((Dimension.USER,), Period(FIRST_DAY, YEAR_ENDS - timedelta(days=1)), {})
    of_project = {Dimension.PROJECT: project}
    of_month = f"{_LOCAL_MONTH} = '2026-05'"
    joined = "FROM accounting_record r JOIN project p ON p.id = r.project_id"
    return [
        Question(
            "12 months by organisation and month",
            totals(Dimension.ORGANISATION, Dimension.MONTH, **year),
            f"SELECT p.organisation_id, {_LOCAL_MONTH}, {_SUMS} {joined} GROUP BY 1, 2",
        ),
        Question(
            "12 months by state and workload",
            totals(Dimension.STATE, Dimension.WORKLOAD, **year),
            f"SELECT r.state, r.workload, {_SUMS} {joined} GROUP BY 1, 2",
        ),
        Question(
            "one organisation, 12 months by state",
            totals(Dimension.STATE, where={Dimension.ORGANISATION: organisation}, **year),
            f"SELECT r.state, {_SUMS} {joined} WHERE p.organisation_id = '{organisation.hex}' GROUP BY 1",
        ),
        Question(
            "12 months by user, the page",
            lambda conn: report_usage(conn, actor, by_user, most=LINES_OF_A_PAGE),
            f"SELECT r.user_id, {_SUMS} {joined} GROUP BY 1",
        ),
        Question(
            "12 months by user, all of them",
            lambda conn: report_usage(conn, actor, by_user),
            f"SELECT r.user_id, {_SUMS} {joined} GROUP BY 1",
        ),
        Question(
            "12 months by GPU type and month",
            totals(Dimension.GPU_TYPE, Dimension.MONTH, **year),
            f"SELECT r.partition, {_LOCAL_MONTH}, {_SUMS} {joined} GROUP BY 1, 2",
        ),
        Question(
            "a month of the city by day",
            totals(Dimension.DAY, **month),
            f"SELECT {_LOCAL_DAY}, {_SUMS} {joined} WHERE {of_month} GROUP BY 1",
        ),
        Question(
            "one project, a month by user and day",
            totals(Dimension.USER, Dimension.DAY, where=of_project, **month),
            f"SELECT r.user_id, {_LOCAL_DAY}, {_SUMS} {joined} "
            f"WHERE r.project_id = '{project.hex}' AND {of_month} GROUP BY 1, 2",
        ),
        Question(
            "one project, 12 months by workload",
            totals(Dimension.WORKLOAD, where=of_project, **year),
            f"SELECT r.workload, {_SUMS} {joined} WHERE r.project_id = '{project.hex}' GROUP BY 1",
        ),
        Question(
            "statement of an organisation",
            lambda conn: statement(conn, month=MONTH, organisation_id=organisation),
            f"SELECT r.project_id, {of_month}, {_SUMS} {joined} "
            f"WHERE p.organisation_id = '{organisation.hex}' GROUP BY 1, 2",
        ),
        Question(
            "job list page of one project",
            lambda conn: list_jobs(Session(conn), actor, JobFilter(project="project-20"), limit=50),
            f"SELECT r.job_id, max(r.ended_at), {_SUMS} {joined} "
            f"WHERE r.project_id = '{project.hex}' GROUP BY 1 ORDER BY 1 DESC LIMIT 50",
        ),
        Question(
            "job list page of the city",
            lambda conn: list_jobs(Session(conn), actor, JobFilter(), limit=50),
            f"SELECT r.job_id, max(r.ended_at), {_SUMS} {joined} GROUP BY 1 ORDER BY 1 DESC LIMIT 50",
        ),
    ]


def test_reports(city: tuple[int, Engine], capsys: pytest.CaptureFixture[str]) -> None:
    size, engine = city
    with engine.connect() as connection, capsys.disabled():
        counts = ", ".join(
            f"{table} {connection.execute(text(f'SELECT count(*) FROM {table}')).scalar_one():,}"  # noqa: S608
            for table in ("accounting_record", "job", "usage_day", "usage_sum", "usage_asset")
        )
        print(f"\n## {size:,} runs on SQLite: {counts}")
        print(f"{'question':42} {'median':>9} {'worst':>9} {'raw runs':>10}")
        for question in questions(connection):
            times = [_seconds(question.ask, connection) for _ in range(REPEATS)]
            raw = min(_seconds(_asking(question.raw), connection) for _ in range(RAW_REPEATS))
            median = statistics.median(times)
            print(
                f"{question.name:42} {median * 1000:6.1f} ms {max(times) * 1000:6.1f} ms {raw:8.2f} s"
                f"   x {raw / median:,.0f}"
            )
        took = _seconds(lambda conn: rebuild_day(conn, date(2026, 9, 15)), connection)
        print(f"one day made anew from the records: {took:.2f} s")


def test_folding_in(city: tuple[int, Engine], capsys: pytest.CaptureFixture[str]) -> None:
    """What a thousand new runs of 100 jobs cost, in one transaction that is undone."""
    size, engine = city
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT DISTINCT project_id, allocation_id, user_id FROM usage_day LIMIT 100")
        ).all()
    runs = [
        _new_run(UUID(row[0]), UUID(row[1]), UUID(row[2])) for row in rows for _ in range(1000 // len(rows))
    ]
    times, used = [], []
    for _ in range(9):
        with writing(engine).connect() as connection:
            batch = UsageBatch()
            for run in runs:
                batch.add(run)
            began = time.process_time()
            times.append(_seconds(batch.fold, connection))
            used.append(time.process_time() - began)
            connection.rollback()
    with capsys.disabled():
        per_run = statistics.median(times) / len(runs)
        print(
            f"\nfolding {len(runs)} runs into roll-ups of {size:,}: "
            f"{statistics.median(times) * 1000:.1f} ms, {per_run * 1e6:.0f} us a run "
            f"({statistics.median(used) * 1000:.1f} ms CPU)"
        )


def _new_run(project: UUID, allocation: UUID, user: UUID) -> RecordedRun:
    ended_at = datetime(2026, 10, 20, 5, tzinfo=UTC)
    return RecordedRun(
        project_id=project,
        allocation_id=allocation,
        user_id=user,
        cluster=CLUSTER,
        partition="gpu",
        workload="vcs-regression",
        state="COMPLETED",
        started_at=ended_at - timedelta(hours=2),
        ended_at=ended_at,
        elapsed_seconds=7200,
        tres_seconds={"cpu": 8 * 7200, "mem": 32_768 * 7200, "gres/gpu": 7200, "gres/gpu:h100": 7200},
        is_charged=True,
        vnd=201_600,
        subsidy_vnd=0,
        used_cpu_seconds=50_000,
        gpu_busy_seconds=3600,
        peak_mem_mib=9000,
        waited_seconds=60,
    )


def _asking(sql: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text(sql.replace(":", "\\:"))).all()


def _seconds(work: Callable[[Connection], object], connection: Connection) -> float:
    began = time.perf_counter()
    work(connection)
    return time.perf_counter() - began


def _administrator(connection: Connection) -> Actor:
    user_id = connection.execute(select(col(User.id)).limit(1)).scalar_one()
    actor = load_actor(Session(connection), user_id)
    assert actor
    return Actor(
        user_id=user_id,
        username=actor.username,
        display_name=actor.display_name,
        cluster_user=actor.cluster_user,
        cluster_number=actor.cluster_number,
        global_role=GlobalRole.ADMINISTRATOR,
    )
