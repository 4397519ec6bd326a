"""While the scheduler takes one batch the next is made ready: in order, and nothing of it is ever lost."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from hpc_portal.app import leases
from hpc_portal.app.db import transact
from hpc_portal.app.jobs import dispatch
from hpc_portal.app.jobs.dispatch import dispatch_once, take_over_claims
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.leases import LeaseLost
from hpc_portal.app.tables import Job
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import JobSpec
from schedulers.protocol import Submission, SubmitOutcome
from schedulers.slurm import submit_jobs
from tests.integration.app.conftest import Story

PATIENCE_SECONDS = 60.0


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BATCH", 2)


class Door:
    """The scheduler's submit: notes what comes, and lets something happen before a batch goes in."""

    def __init__(self, story: Story, before_first: Callable[[], None] | None = None) -> None:
        self.batches: list[list[UUID]] = []
        self.ahead: UUID | None = None
        """The first batch is taken once this job is claimed."""
        self._story = story
        self._before_first = before_first
        self._submit = story.scheduler.submit

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        self.batches.append([submission.job_id for submission in submissions])
        if len(self.batches) == 1:
            if self.ahead:
                await self._claimed(self.ahead)
            if self._before_first:
                self._before_first()
        return await self._submit(submissions)

    async def _claimed(self, job_id: UUID) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await asyncio.to_thread(self._story.job, job_id)).phase is not Phase.DISPATCHING:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


def submitted(story: Story, count: int) -> list[UUID]:
    spec = JobSpec.model_validate(
        {"name": "sim", "argv": ("/bin/true",), "resources": {"walltime_seconds": 3600}}
    )
    return [story.submit(spec) for _ in range(count)]


def phases(story: Story, jobs: Sequence[UUID]) -> list[Phase]:
    return [story.job(job_id).phase for job_id in jobs]


def test_batches_are_sent_one_after_the_other_in_the_order_of_their_jobs(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, door = submitted(story, 7), Door(story)
    monkeypatch.setattr(story.scheduler, "submit", door.submit)
    assert asyncio.run(dispatch_once(story.context)) is False
    assert door.batches == [jobs[0:2], jobs[2:4], jobs[4:6], jobs[6:]]
    assert phases(story, jobs) == [Phase.TRACKED] * 7
    assert set(story.context.tracked.jobs) == set(jobs)


def test_the_next_batch_is_made_ready_while_the_scheduler_takes_one(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, door = submitted(story, 4), Door(story)
    door.ahead = jobs[2]
    monkeypatch.setattr(story.scheduler, "submit", door.submit)
    asyncio.run(dispatch_once(story.context))
    assert door.batches == [jobs[:2], jobs[2:]]
    assert phases(story, jobs) == [Phase.TRACKED] * 4


def test_a_step_ends_before_a_long_queue_does(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_BATCHES", 2)
    jobs = submitted(story, 5)
    assert asyncio.run(dispatch_once(story.context)) is True
    assert phases(story, jobs) == [Phase.TRACKED] * 4 + [Phase.ACCEPTED]


def test_what_was_claimed_ahead_is_given_back_when_the_scheduler_does_not_answer(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise SchedulerUnavailable

    jobs, door = submitted(story, 5), Door(story, fail)
    door.ahead = jobs[2]
    with monkeypatch.context() as patch:
        patch.setattr(story.scheduler, "submit", door.submit)
        assert asyncio.run(dispatch_once(story.context)) is False
    assert phases(story, jobs) == [Phase.ACCEPTED] * 5
    story.scheduler.advance(5)
    assert asyncio.run(dispatch_once(story.context)) is False
    assert phases(story, jobs) == [Phase.TRACKED] * 5
    assert sorted(job_id for job_id, _, _ in story.scheduler.started) == sorted(jobs)


def test_after_a_stop_nothing_more_is_claimed_and_all_that_is_goes(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = asyncio.Event()
    jobs, door = submitted(story, 5), Door(story, stop.set)
    door.ahead = jobs[2]
    monkeypatch.setattr(story.scheduler, "submit", door.submit)
    assert asyncio.run(dispatch_once(story.context, stop)) is True
    assert phases(story, jobs) == [Phase.TRACKED] * 4 + [Phase.ACCEPTED]


def test_a_controller_that_loses_its_lease_sends_nothing_of_what_it_claimed_ahead(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_over() -> None:
        story.clock.advance(1_000_000)
        assert transact(
            story.city.services.engine,
            lambda connection: leases.acquire(
                connection, story.context.lease.name, holder="standby", now=story.clock.now(), seconds=60
            ),
        )

    jobs, door = submitted(story, 4), Door(story, take_over)
    door.ahead = jobs[2]
    monkeypatch.setattr(story.scheduler, "submit", door.submit)
    with pytest.raises(LeaseLost):
        asyncio.run(dispatch_once(story.context))
    assert door.batches == [jobs[:2]]
    assert phases(story, jobs) == [Phase.DISPATCHING] * 4


def test_who_takes_over_looks_at_once_for_what_the_one_before_had_claimed(story: Story) -> None:
    """Whatever the clock said of the one before: here it was an hour ahead."""
    (job_id,) = submitted(story, 1)
    ahead = story.clock.now() + timedelta(hours=1)
    claim = {"phase": Phase.DISPATCHING, "claim_token": uuid4(), "claimed_until": ahead}
    transact(story.city.services.engine, lambda connection: connection.execute(update(Job).values(claim)))
    asyncio.run(take_over_claims(story.context))
    asyncio.run(dispatch_once(story.context))
    assert story.job(job_id).phase is Phase.TRACKED


def test_who_lost_the_lease_sends_for_no_longer_than_the_next_one_thinks() -> None:
    assert dispatch._FRESH.total_seconds() + submit_jobs.SEND_SECONDS == submit_jobs.LATE_SECONDS
