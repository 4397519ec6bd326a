"""Memory that was asked for and never touched, of what the asking person may see."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotFound
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.reports.memory_waste import MeasuredRuns, MemoryUse, add_up_by, measured_runs
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.scope import visible_tenants
from hpc_portal.app.reports.usage import UsageQuery
from hpc_portal.app.tables import Job, JobTask
from quotas.usage_report import Dimension
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from tests.integration.reports.conftest import Books
from tests.small_city import Tenant

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
START = datetime(2026, 11, 10, tzinfo=UTC)


def ran(  # noqa: PLR0913 - the facts of a run, by keyword
    books: Books,
    tenant: Tenant,
    number: int,
    *,
    asked: int,
    peak: int,
    at: datetime = START,
    template: str | None = None,
    gpus: dict[str, int] | None = None,
) -> None:
    """A job of 100 seconds."""
    job_id = UUID(int=first_id_at(at).int + number)
    end = at + timedelta(seconds=100)
    spec = JobSpec(name="one", argv=("true",), resources=ResourceRequest())
    job = {
        "id": job_id,
        "organisation_id": tenant.organisation_id,
        "project_id": tenant.project_id,
        "user_id": tenant.member.user_id,
        "name": "one",
        "template": template,
        "spec": spec.model_dump(mode="json"),
        "workspace": str(job_id),
        "partition": "main",
        "priority": 0,
        "is_array": False,
        "phase": Phase.SETTLED,
        "state": JobState.COMPLETED,
        "scheduler": "memory",
        "submitted_at": at,
        "ended_at": end,
        "tasks_total": 1,
        "waits_for_jobs": False,
        "tasks_running": 0,
        "tasks_completed": 1,
        "tasks_failed": 0,
        "tasks_cancelled": 0,
        "estimated_vnd": 0,
        "charged_vnd": 0,
    }
    run = {
        "job_id": job_id,
        "task_index": 0,
        "attempt": 0,
        "state": JobState.COMPLETED,
        "is_requeued": False,
        "placement": {},
        "placed_at": at,
        "started_at": at,
        "ended_at": end,
        "elapsed_seconds": 100,
        "allocated_tres": {"cpu": 1, "mem": asked, **(gpus or {})},
        "cpu_seconds": 1.0,
        "max_rss_mib": peak,
        "charged_vnd": 0,
    }

    def store(connection: object) -> None:
        connection.execute(insert(Job).values(job))  # type: ignore[attr-defined]
        connection.execute(insert(JobTask).values(run))  # type: ignore[attr-defined]

    transact(books.city.services.engine, store)


def ask(
    books: Books, actor: Actor, *by: Dimension, where: dict[Dimension, str] | None = None
) -> dict[tuple[str | date, ...], MemoryUse]:
    query = UsageQuery(by or (Dimension.PROJECT,), NOVEMBER, where or {})
    with books.city.services.reading() as session:
        return add_up_by(measure(session.connection(), actor, query), query.by)


def measure(connection: Connection, actor: Actor, query: UsageQuery) -> list[MeasuredRuns]:
    return measured_runs(connection, actor, visible_tenants(connection, actor), query, query.by)


def test_what_was_asked_less_the_peak_was_never_touched(books: Books) -> None:
    chips, rivals = books.city.chips, books.city.rivals
    ran(books, chips, 1, asked=1024, peak=256)
    ran(books, chips, 2, asked=2048, peak=4096)  # more than it asked for is no saving elsewhere
    ran(books, rivals, 3, asked=512, peak=0)  # nobody measured it
    ran(books, rivals, 4, asked=512, peak=128, at=datetime(2026, 10, 31, tzinfo=UTC))  # before
    found = ask(books, books.auditor)
    assert found == {("chips",): MemoryUse(2, 307_200, 230_400)}
    assert found["chips",].untouched == 76_800


def test_a_member_sees_the_memory_of_their_project_only(books: Books) -> None:
    ran(books, books.city.chips, 1, asked=1024, peak=256)
    ran(books, books.city.rivals, 2, asked=1024, peak=512)
    assert set(ask(books, books.city.rivals.member)) == {("rivals",)}
    assert set(ask(books, books.auditor)) == {("chips",), ("rivals",)}
    with pytest.raises(NotFound):
        ask(books, books.city.rivals.member, where={Dimension.PROJECT: "chips"})
    assert not ask(books, books.city.rivals.member, where={Dimension.USER: "chips-member"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (Dimension.ORGANISATION, "chips-org"),
        (Dimension.PROJECT, "chips"),
        (Dimension.USER, "chips-member"),
        (Dimension.CLUSTER, "memory"),
        (Dimension.PARTITION, "main"),
        (Dimension.WORKLOAD, "acme-flow"),
        (Dimension.STATE, "COMPLETED"),
        (Dimension.GPU_TYPE, "h100"),
    ],
)
def test_runs_are_told_apart_and_narrowed_as_roll_ups_are(books: Books, key: Dimension, value: str) -> None:
    gpu = {"gres/gpu": 1, "gres/gpu:h100": 1}
    ran(books, books.city.chips, 1, asked=1024, peak=256, template="acme-flow@3", gpus=gpu)
    use = MemoryUse(1, 102_400, 25_600)
    assert ask(books, books.auditor, key) == {(value,): use}
    assert ask(books, books.auditor, Dimension.DAY, where={key: value}) == {(date(2026, 11, 10),): use}
    if key not in {Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER}:
        assert ask(books, books.auditor, where={key: "other"}) == {}


_RUNS = st.lists(
    st.tuples(
        st.integers(0, 40_000_000),
        st.integers(0, 40_000_000),
        st.integers(0, 2),
        st.sampled_from([None, "spice", "spice@2", "acme-flow"]),
        st.sampled_from([{}, {"gres/gpu": 2}, {"gres/gpu": 1, "gres/gpu:h100": 1}]),
    ),
    min_size=1,
    max_size=12,
)


@given(_RUNS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_adds_up_what_the_runs_add_up_to(
    books: Books, runs: list[tuple[int, int, int, str | None, dict[str, int]]]
) -> None:
    tenants = (books.city.chips, books.city.rivals)
    with books.city.services.engine.begin() as connection:
        connection.execute(delete(JobTask))
        connection.execute(delete(Job))
    by = (Dimension.PROJECT, Dimension.USER, Dimension.WORKLOAD)
    sums: dict[tuple[str | date, ...], list[int]] = {}
    for number, (asked, peak, day, template, gpus) in enumerate(runs):
        tenant = tenants[number % 2]
        at = START + timedelta(days=day)
        ran(books, tenant, number, asked=asked, peak=peak, at=at, template=template, gpus=gpus)
        if asked and peak:
            kind = "h100" if len(gpus) == 2 else "untyped" if gpus else ""
            name = ("chips", "rivals")[number % 2]
            of = (name, f"{name}-member", (template or "").partition("@")[0], at.date(), kind)
            amounts = sums.setdefault(of, [0, 0, 0])
            for place, amount in enumerate((1, 100 * asked, 100 * min(asked, peak))):
                amounts[place] += amount
    expected = {of: MemoryUse(*amounts) for of, amounts in sums.items()}
    assert ask(books, books.auditor, *by, Dimension.DAY, Dimension.GPU_TYPE) == expected
    narrowed = {of[:3]: use for of, use in expected.items() if of[4] == "h100" and of[3] == START.date()}
    only_day = Period(START.date(), START.date())
    query = UsageQuery(by, only_day, {Dimension.GPU_TYPE: "h100"})
    with books.city.services.reading() as session:
        found = add_up_by(measure(session.connection(), books.auditor, query), by)
    assert found == narrowed
