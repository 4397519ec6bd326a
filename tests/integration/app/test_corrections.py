"""What a cluster's accounting revises after a job was charged is posted as the difference, once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import JobEvent
from quotas.tables import AccountingRecord
from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from schedulers.memory import DEFAULT_FEATURES
from schedulers.protocol import Feature
from tests.integration.app.conftest import Story

DAY = 86_400


@pytest.fixture
def features() -> frozenset[Feature]:
    """Of a scheduler that is not its own meter, as Slurm."""
    return DEFAULT_FEATURES - {Feature.METERS_USAGE}


def spec(*, tasks: str | None = None) -> JobSpec:
    array = ArraySpec(expression=tasks) if tasks else None
    resources = ResourceRequest(walltime_seconds=600)
    return JobSpec(name="one", argv=("/bin/true",), resources=resources, array=array)


def ran(story: Story, *, seconds: int) -> UUID:
    """A job that ended after so long and was settled."""
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(seconds)
    story.scheduler.finish(job_id)
    story.step()
    story.step()
    assert story.job(job_id).phase is Phase.SETTLED
    return job_id


def revise(story: Story, job_id: UUID, *, elapsed_seconds: int) -> None:
    """The accounting tells later that the first run took longer, or less long."""
    key = story.job(job_id).scheduler_job_id, 0, 0
    usage = story.scheduler._accounted[key]
    ended_at = usage.ended_at + timedelta(seconds=elapsed_seconds - usage.elapsed_seconds)
    story.scheduler._accounted[key] = replace(usage, ended_at=ended_at, elapsed_seconds=elapsed_seconds)


def compare(story: Story) -> None:
    """One pass of a controller that remembers nothing."""
    step = CorrectStep(story.context)

    async def whole_pass() -> None:
        while await step():
            pass

    asyncio.run(whole_pass())


def revisions(story: Story) -> list[int]:
    with story.city.services.engine.connect() as connection:
        return list(
            connection.execute(
                select(col(AccountingRecord.revision)).order_by(col(AccountingRecord.revision))
            ).scalars()
        )


def corrections(story: Story, job_id: UUID) -> list[int]:
    with story.city.services.engine.connect() as connection:
        found = select(col(JobEvent.facts)).where(
            col(JobEvent.job_id) == job_id, col(JobEvent.kind) == "job.corrected"
        )
        return [facts["change_vnd"] for facts in connection.execute(found).scalars()]


@pytest.mark.parametrize("seconds", [40, 400])
def test_a_revised_record_changes_the_charge_by_the_difference_once(story: Story, seconds: int) -> None:
    job_id = ran(story, seconds=100)
    first = story.job(job_id).charged_vnd
    available, held, consumed = story.vnd()
    revise(story, job_id, elapsed_seconds=seconds)
    compare(story)
    compare(story)
    (run,) = story.runs(job_id)
    change = run.charged_vnd - first
    assert change * (seconds - 100) > 0
    assert (run.elapsed_seconds, story.job(job_id).charged_vnd) == (seconds, first + change)
    assert story.vnd() == (available - change, held, consumed + change)
    assert (revisions(story), corrections(story, job_id)) == ([0, 1], [change])
    story.require_exact_ledger()


def test_what_was_accounted_right_is_left_alone(story: Story) -> None:
    job_id = ran(story, seconds=100)
    compare(story)
    assert (revisions(story), corrections(story, job_id)) == ([0], [])


def test_a_revision_of_a_revision_and_back_again_each_count(story: Story) -> None:
    job_id = ran(story, seconds=100)
    before = story.vnd()
    for seconds in (400, 100):
        revise(story, job_id, elapsed_seconds=seconds)
        compare(story)
    assert (revisions(story), story.vnd()) == ([0, 1, 2], before)
    assert sum(corrections(story, job_id)) == 0
    story.require_exact_ledger()


def test_tasks_are_corrected_while_others_of_their_array_run(story: Story) -> None:
    job_id = story.submit(spec(tasks="0-1"))
    story.step()
    story.scheduler.advance(100)
    story.scheduler.finish(job_id, 0)
    story.step()
    held = story.vnd()[1]
    revise(story, job_id, elapsed_seconds=400)
    compare(story)
    assert held > 0
    assert story.vnd()[1] == held
    story.scheduler.finish(job_id, 1)
    story.step()
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.charged_vnd) == (Phase.SETTLED, sum(run.charged_vnd for run in story.runs(job_id)))
    assert story.vnd()[1:] == (0, job.charged_vnd)
    story.require_exact_ledger()


def test_what_ended_long_ago_is_not_asked_for(story: Story) -> None:
    job_id = ran(story, seconds=100)
    story.scheduler.advance(4 * DAY)
    revise(story, job_id, elapsed_seconds=400)
    compare(story)
    assert revisions(story) == [0]
