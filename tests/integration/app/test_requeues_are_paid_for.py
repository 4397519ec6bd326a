"""A task that ran before runs again only on budget that is set aside for it; on both databases."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from hpc_portal.app.jobs.cancel import CancelStep, request_cancel
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.placements import DatabasePlacementStore
from hpc_portal.app.jobs.settle import SettleStep
from hpc_portal.app.tables import JobTask
from schedulers.dask.placement import BUDGET
from schedulers.dask.store import Placed, Placement, Share
from schedulers.jobspec import ArraySpec, RequeuePolicy
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import HELD_FOR_AN_HOUR, HOUR, spec

GRANTED = 100_000_000
SHARE = Share(lane_id="lane", slot="slot", nodes=("n1",), cpus=1, memory_mib=1024)


def place(story: Story, *placements: Placement) -> Placed:
    store = DatabasePlacementStore()
    store.attach(story.context)
    return asyncio.run(store.place(placements))


def attempt(job_id: UUID, number: int) -> Placement:
    return Placement(job_id, 0, number, SHARE, restarts=number)


def end_to_run_again(story: Story, job_id: UUID, number: int, *, seconds: int = HOUR) -> None:
    """What tracking writes when a run of one CPU and 1 GiB ended and its task is queued again."""
    now = story.clock.now()
    with story.city.services.engine.begin() as connection:
        connection.execute(
            update(JobTask)
            .where(col(JobTask.job_id) == job_id, col(JobTask.attempt) == number)
            .values(
                state=JobState.FAILED,
                is_requeued=True,
                started_at=now - timedelta(seconds=seconds),
                ended_at=now,
                elapsed_seconds=seconds,
                allocated_tres={"cpu": 1, "mem": 1024},
            )
        )


def settle(story: Story) -> None:
    async def until_done() -> None:
        step = SettleStep(story.context)
        while await step():
            pass

    asyncio.run(until_done())


def waits(placed: Placed) -> Mapping[UUID, str]:
    assert placed.accepted == []
    return placed.waiting


@pytest.fixture
def job_id(story: Story) -> UUID:
    """A job at the scheduler whose first run used its whole hold and is queued again."""
    job_id = story.submit(spec(requeue=RequeuePolicy(on_exit_codes=(75,))))
    asyncio.run(dispatch_once(story.context))
    assert len(place(story, attempt(job_id, 0)).accepted) == 1
    end_to_run_again(story, job_id, 0)
    return job_id


def spend_the_rest(story: Story) -> UUID:
    """A job that holds all but 100 đồng of what is available."""
    tasks = (story.vnd()[0] - 100) // HELD_FOR_AN_HOUR
    return story.submit(spec("huge", array=ArraySpec(expression=f"0-{tasks - 1}")))


def test_a_run_is_settled_before_its_task_runs_again(story: Story, job_id: UUID) -> None:
    assert waits(place(story, attempt(job_id, 1))) == {job_id: ""}
    settle(story)
    assert len(place(story, attempt(job_id, 1)).accepted) == 1
    assert story.vnd() == (GRANTED - 2 * HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR)
    story.require_exact_ledger()


def test_a_task_waits_for_budget_says_so_and_runs_again_when_it_comes(story: Story, job_id: UUID) -> None:
    huge = spend_the_rest(story)
    settle(story)
    for _ in range(2):
        assert waits(place(story, attempt(job_id, 1))) == {job_id: BUDGET}
    assert [run.attempt for run in story.runs(job_id)] == [0]
    request_cancel(story.city.services, story.city.chips.member, [huge])
    asyncio.run(CancelStep(story.context)())
    settle(story)
    assert len(place(story, attempt(job_id, 1)).accepted) == 1
    assert story.vnd() == (GRANTED - 2 * HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR, HELD_FOR_AN_HOUR)
    story.require_exact_ledger()


def test_a_job_without_budget_to_run_again_keeps_no_other_from_starting(story: Story, job_id: UUID) -> None:
    other = story.submit(spec("other"))
    asyncio.run(dispatch_once(story.context))
    spend_the_rest(story)
    settle(story)
    placed = place(story, attempt(job_id, 1), attempt(other, 0))
    assert [placement.job_id for placement in placed.accepted] == [other]
    assert placed.waiting == {job_id: BUDGET}
    story.require_exact_ledger()


def test_an_attempt_that_never_started_costs_no_second_look(story: Story) -> None:
    job_id = story.submit(spec())
    asyncio.run(dispatch_once(story.context))
    place(story, attempt(job_id, 0))
    recalled = Placement(job_id, 0, 1, SHARE, restarts=0)
    assert len(place(story, recalled).accepted) == 1
