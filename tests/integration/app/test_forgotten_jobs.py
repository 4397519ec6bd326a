"""A job that scheduler and accounting both forgot ends once nobody wants it, and costs what is known."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.correct import CorrectStep
from hpc_portal.app.jobs.lifecycle import FORGOTTEN, Phase
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import ExitCode, JobState, JobUsage, TaskSnapshot
from schedulers.memory import DEFAULT_FEATURES, MemoryScheduler
from schedulers.protocol import Feature
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec

HOUR = 3601


@pytest.fixture
def features() -> frozenset[Feature]:
    """Of a scheduler that is not its own meter, as Slurm."""
    return DEFAULT_FEATURES - {Feature.METERS_USAGE}


def forget_all(story: Story, features: frozenset[Feature]) -> None:
    """The cluster lost everything."""
    story.scheduler = MemoryScheduler(clock=story.clock, features=features)
    story.context = replace(story.context, scheduler=story.scheduler)
    story.tracker.cursor = None
    story.step()


def cancel(story: Story, job_id: UUID) -> None:
    request_cancel(story.city.services, story.city.chips.lead, [job_id])
    story.step()


def pass_time(story: Story, seconds: float) -> None:
    story.clock.advance(seconds)
    story.step()


def remember(story: Story, job_id: UUID, *, seconds: int) -> None:
    """The accounting has a record of the job after all."""
    start = story.job(job_id).submitted_at
    end = start + timedelta(seconds=seconds)
    used = JobUsage(start, end, seconds, {"cpu": 1, "node": 1})
    story.scheduler.accounting[job_id, 0, 0] = TaskSnapshot(
        0, 0, JobState.COMPLETED, exit_code=ExitCode(), started_at=start, ended_at=end, usage=used
    )


def test_a_forgotten_job_is_cancelled_an_hour_later_and_charged_for_nothing_unknown(
    story: Story, features: frozenset[Feature]
) -> None:
    running, wanted = story.submit(spec("running")), story.submit(spec("wanted"))
    array = story.submit(spec("array", array=ArraySpec(expression="0-2")))
    story.step()
    story.scheduler.advance(30)
    story.scheduler.finish(array, 0)
    story.step()
    known = story.job(array).charged_vnd
    forget_all(story, features)
    cancel(story, running)
    cancel(story, array)
    pass_time(story, 61)
    assert story.job(running).phase is Phase.TRACKED  # the accounting may be late
    pass_time(story, HOUR)
    for job_id in (running, array):
        job = story.job(job_id)
        assert (job.phase, job.state, job.state_reason) == (Phase.SETTLED, JobState.CANCELLED, FORGOTTEN)
        assert job.tasks_running == 0
        assert all(run.ended_at for run in story.runs(job_id))
    assert (story.job(running).charged_vnd, story.job(array).charged_vnd) == (0, known)
    assert known > 0
    assert story.job(wanted).phase is Phase.TRACKED
    story.require_exact_ledger()


def test_an_administrator_ends_one_that_is_long_forgotten_within_minutes(
    story: Story, features: frozenset[Feature]
) -> None:
    job_id = story.submit(spec("lost"))
    story.step()
    forget_all(story, features)
    pass_time(story, HOUR)
    assert story.job(job_id).phase is Phase.TRACKED
    cancel(story, job_id)
    pass_time(story, 61)
    assert story.job(job_id).phase is Phase.SETTLED
    assert story.vnd()[1] == 0


def test_a_job_that_only_the_accounting_knows_ends_as_that_says(
    story: Story, features: frozenset[Feature]
) -> None:
    job_id = story.submit(spec("known"))
    story.step()
    forget_all(story, features)
    remember(story, job_id, seconds=60)
    cancel(story, job_id)
    pass_time(story, HOUR)
    pass_time(story, 61)
    job = story.job(job_id)
    assert (job.phase, job.state, job.state_reason) == (Phase.SETTLED, JobState.COMPLETED, "")
    assert job.charged_vnd > 0
    story.require_exact_ledger()


def test_what_is_remembered_later_is_charged_then(story: Story, features: frozenset[Feature]) -> None:
    job_id = story.submit(spec("late"))
    story.step()
    forget_all(story, features)
    cancel(story, job_id)
    pass_time(story, HOUR)
    pass_time(story, 61)
    assert story.job(job_id).charged_vnd == 0
    remember(story, job_id, seconds=600)
    asyncio.run(CorrectStep(story.context)())
    job = story.job(job_id)
    assert job.charged_vnd > 0
    assert story.vnd()[1:] == (0, job.charged_vnd)
    story.require_exact_ledger()
