"""Dependencies that the scheduler keeps itself: handed over when it can, ended when they can never be met."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from hpc_portal.app.jobs.dependencies import resolve_dependencies
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.lifecycle import NEVER, Phase
from hpc_portal.app.jobs.track import track_once
from hpc_portal.app.tables import Job, JobEvent
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind, JobSpec, ResourceRequest
from schedulers.jobstate import JobState
from schedulers.memory import DEFAULT_FEATURES, SubmitScenario
from schedulers.protocol import Feature
from tests.integration.app.conftest import Story

AFTEROK = DependencyKind.AFTEROK


@pytest.fixture
def features() -> frozenset[Feature]:
    return DEFAULT_FEATURES | {Feature.KEEPS_DEPENDENCIES}


def spec(*after: UUID, kind: DependencyKind = AFTEROK, array: str | None = None) -> JobSpec:
    return JobSpec(
        name="chained",
        argv=("/bin/true",),
        resources=ResourceRequest(walltime_seconds=600),
        dependencies=tuple(Dependency(kind=kind, job_id=other) for other in after),
        array=ArraySpec(expression=array) if array else None,
    )


def started(story: Story) -> list[UUID]:
    return [job_id for job_id, _, _ in story.scheduler.started]


def let_go(story: Story) -> None:
    """As far as dispatch, which then dies."""
    asyncio.run(resolve_dependencies(story.context))


def look(story: Story) -> None:
    asyncio.run(track_once(story.context, story.tracker))


def test_a_job_waits_in_the_scheduler_and_starts_there_without_the_portal(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    third = story.submit(spec(second))
    story.step()
    assert [(story.job(job).phase, story.job(job).state_reason) for job in (second, third)] == [
        (Phase.TRACKED, "Dependency"),
        (Phase.TRACKED, "Dependency"),
    ]
    story.scheduler.finish(first)
    story.scheduler.finish(second)
    assert started(story) == [first, second, third]


def test_what_can_never_start_ends_cancelled_with_that_reason_and_costs_nothing(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    third = story.submit(spec(second))
    story.step()
    story.scheduler.finish(first, exit_code=3)
    for _ in range(3):
        story.step()
    for job in (story.job(second), story.job(third)):
        assert (job.phase, job.state, job.state_reason) == (Phase.SETTLED, JobState.CANCELLED, NEVER)
        assert (job.tasks_cancelled, job.charged_vnd) == (1, 0)
    assert started(story) == [first]
    assert story.vnd()[1] == 0
    story.require_exact_ledger()


def test_an_array_that_can_never_start_says_so_too(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first, array="0-9"))
    story.step()
    story.scheduler.finish(first, exit_code=3)
    story.step()
    job = story.job(second)
    assert (job.state, job.state_reason, job.tasks_cancelled) == (JobState.CANCELLED, NEVER, 10)


def test_the_wish_to_end_it_is_told_as_an_event(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    story.step()
    story.scheduler.finish(first, exit_code=3)
    story.step()
    with story.city.services.engine.connect() as connection:
        facts = connection.execute(
            select(col(JobEvent.facts)).where(
                col(JobEvent.job_id) == second, col(JobEvent.kind) == "job.cancel_requested"
            )
        ).scalars()
        assert list(facts) == [{"reason": NEVER}]


@pytest.mark.parametrize(("exit_code", "phase"), [(0, Phase.TRACKED), (3, Phase.SETTLED)])
def test_an_end_between_letting_go_and_handing_over_is_seen(
    story: Story, exit_code: int, phase: Phase
) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    let_go(story)
    story.scheduler.finish(first, exit_code=exit_code)
    look(story)
    story.step()
    assert story.job(second).phase is phase
    assert (second in started(story)) is (exit_code == 0)


def test_after_a_time_without_tracking_the_portal_looks_before_it_hands_over(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    story.scheduler.finish(first, exit_code=3)
    story.scheduler.advance(3600)  # a scheduler may have forgotten `first`, and would start `second`
    let_go(story)
    asyncio.run(dispatch_once(story.context))
    assert story.job(second).phase is Phase.ACCEPTED
    story.step()
    assert (story.job(second).state, story.job(second).state_reason) == (JobState.CANCELLED, NEVER)


def test_what_was_let_go_just_before_the_portal_fell_silent_waits_again(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    let_go(story)
    story.scheduler.advance(300)
    asyncio.run(dispatch_once(story.context))
    job = story.job(second)
    assert (job.phase, job.waits_for_jobs, job.claim_token) == (Phase.ACCEPTED, True, None)
    story.step()
    assert story.job(second).phase is Phase.TRACKED


def test_a_lost_answer_makes_no_second_job(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    story.scheduler.scenario = SubmitScenario.LOSE_ANSWER
    story.step()
    assert story.job(second).phase is Phase.DISPATCHING
    story.scheduler.scenario = SubmitScenario.ACCEPT
    story.scheduler.finish(first)
    story.scheduler.advance(10)
    story.step()
    assert started(story) == [first, second]


def test_a_job_on_another_cluster_is_waited_for_in_the_portal(story: Story) -> None:
    first = story.submit(spec())
    story.step()
    second = story.submit(spec(first))
    with story.city.services.engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id) == first).values(scheduler="elsewhere"))
    story.step()
    assert (story.job(second).phase, story.job(second).state_reason) == (Phase.ACCEPTED, "Dependency")


def test_corresponding_tasks_are_waited_for_in_the_portal(story: Story) -> None:
    first = story.submit(spec(array="0-3"))
    story.step()
    second = story.submit(spec(first, kind=DependencyKind.AFTERCORR, array="0-3"))
    story.step()
    assert story.job(second).phase is Phase.ACCEPTED
    for index in range(4):
        story.scheduler.finish(first, index, exit_code=index % 2)
    story.step()
    story.step()
    assert sorted(task for job, task, _ in story.scheduler.started if job == second) == [0, 2]
