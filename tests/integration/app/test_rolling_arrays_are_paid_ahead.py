"""An array of a rolling allocation starts as many tasks as are paid for; on both databases."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, update
from sqlmodel import col

from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.tables import JobTask
from quotas.adjust_grant import increase, reduce
from quotas.allocation_states import set_hold_policy
from quotas.money import VND
from quotas.tables import Allocation, HoldPolicy
from schedulers.dask.placement import BUDGET
from schedulers.dask.store import Placed, Placement
from schedulers.jobspec import ArraySpec
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import HELD_FOR_AN_HOUR, HOUR, spec
from tests.integration.app.test_requeues_are_paid_for import SHARE, place, settle

UNIT = HELD_FOR_AN_HOUR
LEFT = 3 * UNIT + 10
"""Three tasks can be paid for at a time, and not a fourth."""


def tasks(job_id: UUID, *indices: int) -> list[Placement]:
    return [Placement(job_id, index, 0, SHARE) for index in indices]


def started(placed: Placed) -> list[int]:
    return [placement.task_index for placement in placed.accepted]


def chips_allocation(connection: Connection, story: Story) -> UUID:
    found: UUID = connection.execute(
        select(col(Allocation.id)).where(col(Allocation.project_id) == story.city.chips.project_id)
    ).scalar_one()
    return found


def grant_more(story: Story, vnd: int) -> None:
    now = story.clock.now()
    with story.city.services.engine.begin() as connection:
        increase(
            connection,
            allocation_id=chips_allocation(connection, story),
            lines={VND: vnd},
            actor_id=None,
            reason="more tests",
            key="more",
            at=now,
        )


def end(story: Story, job_id: UUID, index: int, *, seconds: int) -> None:
    now = story.clock.now()
    with story.city.services.engine.begin() as connection:
        connection.execute(
            update(JobTask)
            .where(col(JobTask.job_id) == job_id, col(JobTask.task_index) == index)
            .values(
                state=JobState.COMPLETED,
                started_at=now,
                ended_at=now,
                elapsed_seconds=seconds,
                allocated_tres={"cpu": 1, "mem": 1024},
            )
        )


@pytest.fixture
def job_id(story: Story) -> UUID:
    """Ten tasks, two at once, on a rolling allocation that can pay for three at a time."""
    now = story.clock.now()
    with story.city.services.engine.begin() as connection:
        allocation_id = chips_allocation(connection, story)
        facts: dict[str, Any] = {
            "allocation_id": allocation_id,
            "actor_id": None,
            "reason": "a test",
            "at": now,
        }
        set_hold_policy(connection, policy=HoldPolicy.ROLLING, **facts)
        reduce(connection, lines={VND: story.vnd()[0] - LEFT}, key="less", **facts)
    job_id = story.submit(spec(array=ArraySpec(expression="0-9%2")))
    asyncio.run(dispatch_once(story.context))
    return job_id


def test_only_what_runs_at_once_is_held_at_submit(story: Story, job_id: UUID) -> None:
    assert story.vnd() == (LEFT - 2 * UNIT, 2 * UNIT, 0)
    assert story.job(job_id).tasks_total == 10


def test_tasks_start_as_far_as_the_budget_pays_and_the_others_wait_for_it(story: Story, job_id: UUID) -> None:
    placed = place(story, *tasks(job_id, 0, 1, 2, 3, 4))
    assert started(placed) == [0, 1, 2]
    assert placed.waiting == {job_id: BUDGET}
    assert story.vnd() == (10, 3 * UNIT, 0)
    grant_more(story, UNIT)
    assert started(place(story, *tasks(job_id, 3, 4))) == [3]
    story.require_exact_ledger()


def test_a_task_that_ended_early_pays_for_the_next_once_it_is_settled(story: Story, job_id: UUID) -> None:
    place(story, *tasks(job_id, 0, 1, 2))
    end(story, job_id, 0, seconds=0)
    placed = place(story, *tasks(job_id, 3))
    assert (started(placed), placed.waiting) == ([], {job_id: ""})
    settle(story)
    assert started(place(story, *tasks(job_id, 3))) == [3]
    end(story, job_id, 1, seconds=HOUR)
    settle(story)
    assert started(place(story, *tasks(job_id, 4))) == []
    assert story.vnd() == (10, 2 * UNIT, UNIT)
    story.require_exact_ledger()


def test_other_jobs_are_not_kept_waiting(story: Story, job_id: UUID) -> None:
    grant_more(story, UNIT)
    other = story.submit(spec("other"))
    asyncio.run(dispatch_once(story.context))
    placed = place(story, *tasks(job_id, 0, 1, 2, 3), Placement(other, 0, 0, SHARE))
    assert [(one.job_id, one.task_index) for one in placed.accepted] == [
        *((job_id, index) for index in range(3)),
        (other, 0),
    ]
    assert placed.waiting == {job_id: BUDGET}
    story.require_exact_ledger()
