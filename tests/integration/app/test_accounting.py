"""Months are closed once and for good, the books are checked, and what does not add up waits for somebody."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update
from sqlmodel import col

from hpc_portal.app.accounting.check_books import check_books
from hpc_portal.app.accounting.check_step import BOOKS, CheckBooksStep
from hpc_portal.app.accounting.compare_cluster import CompareClusterStep
from hpc_portal.app.accounting.months import ListedMonth, close_next_month, list_months
from hpc_portal.app.accounting.work_list import WorkItem, decide, last_checks, work_list
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.db import transact
from hpc_portal.app.errors import DiscrepancyDecided, InvalidEntry, NotAllowed, NotFound
from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import ExternalReader, GlobalRole
from quotas.discrepancies import Finding, report
from quotas.errors import MonthNotClosable
from quotas.slice_run import city_day
from quotas.usage_report import Dimension, usage_totals
from quotas.usage_tables import DiscrepancyKind, DiscrepancyState, UsageDay
from schedulers.external import ExternalRun
from schedulers.jobspec import JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.memory import DEFAULT_FEATURES
from schedulers.protocol import Feature
from schedulers.tres import times
from tests.integration.app.conftest import Story

DAY = 86_400
LOST = Finding(DiscrepancyKind.NO_RECORD, "no_record:lost", {"cluster": "memory"})


@pytest.fixture
def features() -> frozenset[Feature]:
    """Of a scheduler that is not its own meter, as Slurm."""
    return DEFAULT_FEATURES - {Feature.METERS_USAGE}


@pytest.fixture
def root(story: Story) -> Actor:
    return replace(story.city.chips.member, global_role=GlobalRole.ADMINISTRATOR)


@pytest.fixture
def auditor(story: Story) -> Actor:
    return replace(story.city.chips.member, global_role=GlobalRole.AUDITOR)


def submit(story: Story) -> UUID:
    resources = ResourceRequest(walltime_seconds=600, cpus_per_task=2)
    return story.submit(JobSpec(name="one", argv=("/bin/true",), resources=resources))


def ran(story: Story, *, seconds: int) -> UUID:
    job_id = submit(story)
    story.step()
    story.scheduler.advance(seconds)
    story.scheduler.finish(job_id)
    story.step()
    story.step()
    return job_id


def months(story: Story, actor: Actor) -> list[ListedMonth]:
    with story.city.services.reading() as session:
        return list_months(session, actor, now=story.clock.now())


def items(
    story: Story, actor: Actor, state: DiscrepancyState | None = DiscrepancyState.OPEN
) -> list[WorkItem]:
    with story.city.services.reading() as session:
        return work_list(session, actor, state=state)


def keep(story: Story, *findings: Finding) -> int:
    now = story.clock.now()
    return transact(story.city.services.engine, lambda connection: report(connection, findings, at=now))


def to_next_month(story: Story, month: date) -> None:
    """Two hours into the month after."""
    midnight = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    story.scheduler.advance(int((midnight - timedelta(hours=5) - story.clock.now()).total_seconds()))


def check(story: Story) -> None:
    asyncio.run(CheckBooksStep(story.context, asyncio.Event(), Random(1))())  # noqa: S311 - a lot, not a secret


def test_the_month_is_closed_by_an_administrator_once(story: Story, root: Actor, auditor: Actor) -> None:
    ran(story, seconds=100)
    month = city_day(story.clock.now()).replace(day=1)
    [this] = months(story, auditor)
    assert (this.month, this.is_next, this.is_over, this.unsettled) == (month, True, False, 0)
    to_next_month(story, month)
    for somebody in (auditor, story.city.chips.member):
        with pytest.raises(NotAllowed):
            close_next_month(story.city.services, somebody, month=month)
    close_next_month(story.city.services, root, month=month)
    with pytest.raises(MonthNotClosable, match="closed already"):
        close_next_month(story.city.services, root, month=month)
    following, closed = months(story, auditor)
    assert (closed.is_closed, closed.closed_by) == (True, root.username)
    assert following.is_next
    with story.city.services.engine.connect() as connection:
        deeds = connection.execute(select(col(AuditRecord.action), col(AuditRecord.subject))).all()
    assert [tuple(deed) for deed in deeds if deed.action == "month.closed"] == [
        ("month.closed", f"{month:%Y-%m}")
    ]


def test_nobody_else_reads_the_months_and_the_list(story: Story) -> None:
    with pytest.raises(NotAllowed):
        months(story, story.city.chips.member)
    with pytest.raises(NotAllowed):
        items(story, story.city.chips.member)


def test_a_month_with_unsettled_runs_is_closed_only_with_a_reason(story: Story, root: Actor) -> None:
    job_id = submit(story)
    story.step()
    story.scheduler.advance(60)
    story.scheduler.finish(job_id)
    story.scheduler.accounting.clear()
    story.step()
    month = city_day(story.clock.now()).replace(day=1)
    to_next_month(story, month)
    [this] = [one for one in months(story, root) if one.is_next]
    assert this.unsettled == 1
    with pytest.raises(MonthNotClosable, match="1 ended runs"):
        close_next_month(story.city.services, root, month=month, reason=" ")
    close_next_month(story.city.services, root, month=month, reason="slurmdbd is lost")
    [closed] = [one for one in months(story, root) if one.is_closed]
    assert closed.reason == "slurmdbd is lost"
    story.step()
    story.step()
    with story.city.services.engine.connect() as connection:
        [late] = usage_totals(
            connection, by=(Dimension.MONTH,), since=month, until=date(2100, 1, 1), where={}
        )
    assert late.of[Dimension.MONTH] > month
    story.require_exact_ledger()


def test_of_two_administrators_at_the_same_instant_one_closes_the_month(story: Story, root: Actor) -> None:
    ran(story, seconds=100)
    month = city_day(story.clock.now()).replace(day=1)
    to_next_month(story, month)

    def close(_number: int) -> str:
        try:
            close_next_month(story.city.services, root, month=month)
        except MonthNotClosable as refused:
            return refused.why.value
        return "done"

    with ThreadPoolExecutor(2) as two:
        assert sorted(two.map(close, range(2))) == ["closed", "done"]


def test_a_good_ledger_and_good_roll_ups_leave_nothing_on_the_list(story: Story, auditor: Actor) -> None:
    ran(story, seconds=100)
    story.scheduler.advance(DAY)
    check(story)
    assert items(story, auditor) == []
    with story.city.services.reading() as session:
        [last] = last_checks(session, auditor)
    assert (last.name, last.checked_at, last.facts["found"]) == (BOOKS, story.clock.now(), 0)
    assert str(city_day(story.clock.now()) - timedelta(days=1)) in last.facts["days"]


def test_a_roll_up_that_lost_something_is_found_at_night_and_gone_when_it_is_right_again(
    story: Story, auditor: Actor
) -> None:
    ran(story, seconds=100)
    yesterday = city_day(story.clock.now())
    story.scheduler.advance(DAY)
    engine = story.city.services.engine

    def change(by: int) -> None:
        cpu = col(UsageDay.cpu_seconds) + by
        transact(engine, lambda connection: connection.execute(update(UsageDay).values(cpu_seconds=cpu)))

    change(7)
    check(story)
    [item] = items(story, auditor)
    assert (item.found.kind, item.found.key) == (DiscrepancyKind.DAY_AUDIT, f"day_audit:{yesterday}")
    [row] = item.found.facts["differences"]
    assert (row["folded"], row["rebuilt"]) == ({"cpu_seconds": 207}, {"cpu_seconds": 200})
    change(-7)
    assert check_books(engine, days=[yesterday]).findings == []


def test_the_books_are_checked_once_a_day_however_many_controllers_there_are(
    story: Story, auditor: Actor
) -> None:
    ran(story, seconds=100)
    story.scheduler.advance(DAY)
    check(story)
    with story.city.services.reading() as session:
        [first] = last_checks(session, auditor)
    story.scheduler.advance(60)
    check(story)
    with story.city.services.reading() as session:
        assert last_checks(session, auditor) == [first]


def test_a_check_that_is_stopped_is_made_by_the_next_controller(story: Story, auditor: Actor) -> None:
    ran(story, seconds=100)
    story.scheduler.advance(DAY)
    stop = asyncio.Event()
    stop.set()
    asyncio.run(CheckBooksStep(story.context, stop)())
    with story.city.services.reading() as session:
        [begun] = last_checks(session, auditor)
    assert begun.checked_at is None
    check(story)
    with story.city.services.reading() as session:
        [made] = last_checks(session, auditor)
    assert made.checked_at == story.clock.now()


def test_a_discrepancy_is_decided_once_with_a_reason(story: Story, root: Actor, auditor: Actor) -> None:
    services = story.city.services
    keep(story, LOST)
    [item] = items(story, auditor)
    number = item.found.id
    with pytest.raises(NotAllowed):
        decide(services, auditor, number, state=DiscrepancyState.EXPLAINED, reason="so it is")
    with pytest.raises(InvalidEntry):
        decide(services, root, number, state=DiscrepancyState.EXPLAINED, reason=" ")
    with pytest.raises(InvalidEntry):
        decide(services, root, number, state=DiscrepancyState.OPEN, reason="no end")
    with pytest.raises(NotFound):
        decide(services, root, number + 1, state=DiscrepancyState.EXPLAINED, reason="so it is")
    decide(services, root, number, state=DiscrepancyState.EXPLAINED, reason="the node burnt")
    with pytest.raises(DiscrepancyDecided):
        decide(services, root, number, state=DiscrepancyState.RESOLVED, reason="the node burnt")
    assert items(story, auditor) == []
    [decided] = items(story, auditor, None)
    assert (decided.found.state, decided.decided_by) == (DiscrepancyState.EXPLAINED, root.username)
    assert decided.found.reason == "the node burnt"


def test_what_was_explained_stays_so_until_its_facts_change(story: Story, root: Actor) -> None:
    assert (keep(story, LOST), keep(story, LOST)) == (1, 0)
    [item] = items(story, root)
    decide(story.city.services, root, item.found.id, state=DiscrepancyState.EXPLAINED, reason="known")
    assert (keep(story, LOST), items(story, root)) == (0, [])
    assert keep(story, replace(LOST, facts={"cluster": "other"})) == 1
    assert [one.found.id for one in items(story, root)] == [item.found.id]


def test_what_was_resolved_and_comes_back_is_open_again(story: Story, root: Actor) -> None:
    keep(story, LOST)
    [item] = items(story, root)
    decide(story.city.services, root, item.found.id, state=DiscrepancyState.RESOLVED, reason="mended")
    assert (keep(story, LOST), len(items(story, root))) == (1, 1)


def test_a_run_that_the_cluster_never_accounts_is_settled_after_a_day_and_flagged(
    story: Story, root: Actor
) -> None:
    job_id = submit(story)
    story.step()
    story.scheduler.advance(100)
    story.scheduler.finish(job_id)
    record = dict(story.scheduler.accounting)
    story.scheduler.accounting.clear()
    story.step()
    story.scheduler.advance(DAY - 10)
    story.step()
    assert story.job(job_id).phase is Phase.ENDED
    story.scheduler.advance(20)
    story.step()
    story.step()
    assert story.job(job_id).phase is Phase.SETTLED
    (run,) = story.runs(job_id)
    assert (run.elapsed_seconds, run.allocated_tres["cpu"]) == (100, 2)
    [item] = items(story, root)
    assert item.found.key == f"no_record:{job_id}/0/0"
    story.require_exact_ledger()
    story.scheduler.accounting.update(
        {
            key: replace(run, usage=replace(run.usage, elapsed_seconds=90))
            for key, run in record.items()
            if run.usage
        }
    )
    asyncio.run(CorrectStep(story.context)())
    (run,) = story.runs(job_id)
    assert run.elapsed_seconds == 90
    story.require_exact_ledger()


class Accounting:
    """A cluster's accounting that tells of these runs, in every window that they touch."""

    def __init__(self) -> None:
        self.known: list[ExternalRun] = []

    async def runs(self, *, start: datetime, end: datetime) -> list[ExternalRun]:
        return [
            run
            for run in self.known
            if run.started_at and run.ended_at and run.started_at < end and run.ended_at >= start
        ]


def test_a_day_that_the_cluster_counts_otherwise_is_found_by_account(story: Story, root: Actor) -> None:
    began = story.clock.now() - timedelta(days=2)
    row = {"cluster": "memory", "began_at": began, "read_until": began, "reread_at": began}
    transact(
        story.city.services.engine,
        lambda connection: connection.execute(insert(ExternalReader).values(**row)),
    )
    job_id = ran(story, seconds=100)
    (run,) = story.runs(job_id)
    source = Accounting()
    theirs = ExternalRun(
        scheduler_job_id=story.job(job_id).scheduler_job_id,
        task_index=0,
        is_array=False,
        submitted_at=run.started_at,
        tasks=1,
        claims_job=job_id,
        cluster_user="an",
        account="chips",
        name="one",
        partition="main",
        qos="normal",
        state=JobState.COMPLETED,
        started_at=run.started_at,
        ended_at=run.ended_at,
        elapsed_seconds=100,
        allocated_tres=run.allocated_tres,
    )
    with story.city.services.engine.connect() as connection:
        [used] = usage_totals(
            connection,
            by=(Dimension.CLUSTER,),
            since=city_day(run.ended_at),
            until=city_day(run.ended_at) + timedelta(days=1),
        )
    assert used.usage.cpu_seconds == times(run.allocated_tres, 100)["cpu"]
    source.known = [
        replace(theirs, account=story.city.chips.account),
        replace(theirs, scheduler_job_id="999", account="unknown"),
    ]
    story.scheduler.advance(6 * DAY)
    asyncio.run(CompareClusterStep(story.context, source)())
    [item] = items(story, root)
    assert item.found.facts["account"] == "unknown"
    assert item.found.facts["expected"]["cpu_seconds"] == 200
    assert item.found.facts["found"]["cpu_seconds"] == 0
    source.known = source.known[:1]
    story.scheduler.advance(DAY)
    asyncio.run(CompareClusterStep(story.context, source)())
    assert items(story, root) == []
