"""A scheduler that lost its memory gives the same numbers again: no job is ever taken for another."""

from uuid import UUID

import pytest

from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.change import request_one_change
from hpc_portal.app.jobs.lifecycle import FORGOTTEN, Phase
from hpc_portal.app.jobs.track import Tracker
from schedulers.jobstate import JobState
from schedulers.memory import DEFAULT_FEATURES
from schedulers.protocol import Feature, SetWalltime
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec

HOUR = 3601


@pytest.fixture
def features() -> frozenset[Feature]:
    """Of a scheduler that is not its own meter, as Slurm."""
    return DEFAULT_FEATURES - {Feature.METERS_USAGE}


def two_jobs_with_one_number(story: Story) -> tuple[UUID, UUID]:
    """The first got lost with the scheduler's memory; the controller has started anew since."""
    lost = story.submit(spec("lost"))
    story.step()
    story.scheduler.begin_anew()
    story.tracker = Tracker()
    again = story.submit(spec("again"))
    story.step()
    assert story.job(lost).scheduler_job_id == story.job(again).scheduler_job_id
    return lost, again


def test_the_end_of_the_new_job_is_not_the_end_of_the_lost_one(story: Story) -> None:
    lost, again = two_jobs_with_one_number(story)
    story.scheduler.advance(30)
    story.scheduler.finish(again)
    story.step()
    assert (story.job(lost).phase, story.job(again).phase) == (Phase.TRACKED, Phase.SETTLED)
    assert (story.job(lost).charged_vnd, story.job(again).charged_vnd > 0) == (0, True)
    story.require_exact_ledger()


def test_who_cancels_the_lost_job_cancels_nothing_else(story: Story) -> None:
    lost, again = two_jobs_with_one_number(story)
    request_cancel(story.city.services, story.city.chips.lead, [lost])
    for seconds in (1, 61, HOUR, 61):
        story.clock.advance(seconds)
        story.step()
    job = story.job(lost)
    assert (job.phase, job.state_reason, job.charged_vnd) == (Phase.SETTLED, FORGOTTEN, 0)
    assert (story.job(again).phase, story.job(again).state) == (Phase.TRACKED, JobState.RUNNING)
    story.require_exact_ledger()


def test_who_changes_the_lost_job_changes_nothing_else(story: Story) -> None:
    lost, again = two_jobs_with_one_number(story)
    request_one_change(story.city.services, story.city.chips.member, lost, SetWalltime(60))
    story.step()
    story.scheduler.advance(120)
    story.step()
    assert story.job(again).state is JobState.RUNNING
