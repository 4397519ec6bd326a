"""An upgrade gives runs of before the peaks of memory that rows of their jobs still tell, and nobody else."""

import pytest
from alembic import command
from sqlalchemy import delete, func, select, update
from sqlmodel import col

from hpc_portal.app.accounting import fold_old_peaks as module
from hpc_portal.app.accounting.fold_old_peaks import fold_old_peaks
from hpc_portal.app.db import transact
from hpc_portal.app.schema import alembic_config, upgrade
from hpc_portal.app.tables import JobTask
from quotas.rebuild_usage import compare_day
from quotas.slice_run import city_day
from quotas.tables import AccountingRecord
from quotas.usage_report import usage_totals
from quotas.usage_tables import UnfoldedPeaks, UsageDay
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.integration.app.conftest import Story

BEFORE = "0039"
JOBS, SECONDS, ASKED_MIB, PEAK_MIB = 5, 30, 1024, 256


@pytest.fixture
def old_story(story: Story, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Five settled runs in a schema that keeps no peaks, told by rows of all their jobs but one."""
    monkeypatch.setattr(module, "RECORDS_AT_ONCE", 2)
    asked = ResourceRequest(walltime_seconds=60, memory_mib_per_node=ASKED_MIB)
    jobs = [story.submit(JobSpec(name="one", argv=("/bin/true",), resources=asked)) for _ in range(JOBS)]
    story.step()
    story.scheduler.advance(SECONDS)
    for job_id in jobs:
        story.scheduler.finish(story.job(job_id).scheduler_job_id)
    story.step()
    assert [run.settled_at is not None for job_id in jobs for run in story.runs(job_id)] == [True] * JOBS
    engine = story.city.services.engine
    transact(engine, lambda connection: connection.execute(update(JobTask).values(max_rss_mib=PEAK_MIB)))
    unknown = update(JobTask).where(col(JobTask.job_id) == jobs[0]).values(max_rss_mib=0)
    transact(engine, lambda connection: connection.execute(unknown))
    config = alembic_config(story.city.services.settings.effective_database_url)
    command.stamp(config, "head")
    command.downgrade(config, BEFORE)
    return story


def measured(story: Story) -> tuple[int, int, int]:
    """Runs, and MiB x seconds asked for and needed; where roll-ups are what records say."""
    with story.city.services.engine.connect() as connection:
        begin, end = connection.execute(
            select(func.min(col(UsageDay.day)), func.max(col(UsageDay.day)))
        ).one()
        assert [*compare_day(connection, begin), *compare_day(connection, end)] == []
        [found] = usage_totals(connection, by=(), since=begin, until=city_day(story.clock.now()).max)
    usage = found.usage
    return usage.mem_measured_runs, usage.mem_measured_mib_seconds, usage.mem_peak_mib_seconds


def expected(runs: int) -> tuple[int, int, int]:
    return runs, runs * SECONDS * ASKED_MIB, runs * SECONDS * PEAK_MIB


def waiting(story: Story) -> int:
    with story.city.services.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(UnfoldedPeaks)).scalar_one())


def test_an_upgrade_adds_the_peaks_of_runs_that_were_measured(old_story: Story) -> None:
    upgrade(old_story.city.services.settings)
    assert measured(old_story) == expected(JOBS - 1)
    assert waiting(old_story) == 0
    with old_story.city.services.engine.connect() as connection:
        peaks = connection.execute(select(col(AccountingRecord.peak_mem_mib))).scalars().all()
    assert sorted(map(str, peaks)) == sorted(["None", *[str(PEAK_MIB)] * (JOBS - 1)])
    old_story.require_exact_ledger()
    upgrade(old_story.city.services.settings)
    assert measured(old_story) == expected(JOBS - 1), "a second upgrade adds nothing"


def test_what_was_interrupted_goes_on_where_it_stopped(old_story: Story) -> None:
    services = old_story.city.services
    command.upgrade(alembic_config(services.settings.effective_database_url), "head")
    assert transact(services.engine, fold_old_peaks)
    assert measured(old_story) == expected(2)
    assert waiting(old_story) == 1
    upgrade(services.settings)
    assert measured(old_story) == expected(JOBS - 1)
    assert waiting(old_story) == 0


def test_runs_of_jobs_that_are_not_kept_stay_unmeasured(old_story: Story) -> None:
    services = old_story.city.services
    transact(services.engine, lambda connection: connection.execute(delete(JobTask)))
    upgrade(services.settings)
    assert measured(old_story) == (0, 0, 0)
    assert waiting(old_story) == 0
