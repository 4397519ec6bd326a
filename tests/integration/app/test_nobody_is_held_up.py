"""One job that cannot be handled, or a tenant with very many, stops nobody else; on both databases."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from hpc_portal.app.jobs import dependencies, settle
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.placements import DatabasePlacementStore
from hpc_portal.app.jobs.track import Tracker, track_once
from hpc_portal.app.tables import Job
from quotas.hold_tables import QuotaHold
from schedulers.errors import SchedulerBroken, SchedulerUnavailable
from schedulers.jobspec import ArraySpec, Dependency, DependencyKind
from schedulers.jobstate import JobSnapshot, JobState, JobUsage, TaskSnapshot
from schedulers.memory import MemoryScheduler, SubmitScenario
from schedulers.protocol import Feature, JobRef, Observation, RunKey, Uncertain
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import HELD_FOR_AN_HOUR, spec


def after(job_id: UUID, kind: DependencyKind = DependencyKind.AFTEROK) -> tuple[Dependency, ...]:
    return (Dependency(kind=kind, job_id=job_id),)


def spoil(story: Story, job_id: UUID) -> None:
    """What a later version of the portal may think of a job that an earlier one stored."""
    with story.city.services.engine.begin() as connection:
        connection.execute(update(Job).where(col(Job.id) == job_id).values(spec={"name": "no program"}))


def test_a_job_that_cannot_be_read_is_refused_and_gives_its_budget_back(story: Story) -> None:
    spoiled, healthy = story.submit(spec("spoiled")), story.submit(spec("healthy"))
    waiting = story.submit(spec("waiting", dependencies=after(healthy)))
    spoil(story, spoiled)
    spoil(story, waiting)
    story.step()
    assert story.job(spoiled).phase is Phase.REFUSED
    assert "submit it again" in story.job(spoiled).state_reason
    story.scheduler.finish(healthy)
    story.step()
    assert story.job(healthy).phase is Phase.SETTLED
    assert story.job(waiting).phase is Phase.REFUSED
    assert story.vnd()[1] == 0
    story.require_exact_ledger()


def test_a_job_under_way_that_cannot_be_read_keeps_no_cluster_from_starting(story: Story) -> None:
    spoiled, healthy = story.submit(spec("spoiled")), story.submit(spec("healthy"))
    story.step()
    spoil(story, spoiled)
    store = DatabasePlacementStore()
    store.attach(story.context)
    assert [stored.submission.job_id for stored in asyncio.run(store.load())] == [healthy]


def test_an_observation_that_cannot_be_written_stops_nobody_else(story: Story) -> None:
    odd, healthy = story.submit(spec("odd")), story.submit(spec("healthy"))
    story.step()
    story.scheduler.finish(odd, exit_code=2**70)
    story.scheduler.finish(healthy)
    story.step()
    assert story.job(healthy).phase is Phase.SETTLED
    assert story.job(odd).phase is Phase.TRACKED


def test_what_could_not_be_written_is_not_passed_over_when_the_rest_of_the_job_ends(story: Story) -> None:
    """The scheduler tells a change once: whose end is not written must not count as never started."""
    array = story.submit(spec("odd", array=ArraySpec(expression="0-1")))
    asyncio.run(dispatch_once(story.context))
    story.scheduler.finish(array, 0, exit_code=2**70)
    asyncio.run(track_once(story.context, story.tracker))
    story.scheduler.finish(array, 1)
    asyncio.run(track_once(story.context, story.tracker))
    assert (story.job(array).phase, story.job(array).tasks_cancelled) == (Phase.TRACKED, 0)


def test_many_jobs_that_wait_for_a_long_one_hold_up_nobody_who_waits_for_another(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "_BATCH", 3)
    long, short = story.submit(spec("long")), story.submit(spec("short"))
    for number in range(7):
        story.submit(spec(f"patient-{number}", dependencies=after(long)))
    last = story.submit(spec("last", dependencies=after(short)))
    story.step()
    story.scheduler.finish(short)
    story.step()
    assert story.job(last).phase is Phase.TRACKED


def test_a_cancelled_job_that_never_reached_the_scheduler_ends(story: Story) -> None:
    story.scheduler.scenario = SubmitScenario.LOSE_REQUEST
    job_id = story.submit(spec())
    story.step()
    assert story.job(job_id).phase is Phase.DISPATCHING
    request_cancel(story.city.services, story.city.chips.member, [job_id])
    story.clock.advance(3)
    story.step()
    job = story.job(job_id)
    assert (job.phase, job.state, job.tasks_cancelled) == (Phase.SETTLED, JobState.CANCELLED, 1)
    assert story.scheduler.started == []
    assert story.vnd() == (100_000_000, 0, 0)


def test_a_cancelled_job_whose_answer_was_lost_is_found_and_cancelled(story: Story) -> None:
    story.scheduler.scenario = SubmitScenario.LOSE_ANSWER
    job_id = story.submit(spec())
    story.step()
    request_cancel(story.city.services, story.city.chips.member, [job_id])
    story.scheduler.scenario = SubmitScenario.ACCEPT
    story.clock.advance(3)
    story.step()
    assert (story.job(job_id).phase, story.job(job_id).state) == (Phase.SETTLED, JobState.CANCELLED)
    assert story.scheduler.started == [(job_id, 0, 0)]


def test_a_job_whose_key_another_user_has_is_not_sent_beside_that_ones(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.scheduler.scenario = SubmitScenario.LOSE_REQUEST
    job_id = story.submit(spec())
    story.step()
    story.scheduler.scenario = SubmitScenario.ACCEPT
    asked: list[Mapping[UUID, str]] = []

    async def is_anothers(users: Mapping[UUID, str]) -> dict[UUID, Uncertain]:
        asked.append(users)
        return {job_id: Uncertain("job 7 of mallory carries its key")}

    with monkeypatch.context() as patch:
        patch.setattr(story.scheduler, "find", is_anothers)
        story.clock.advance(3)
        story.step()
    assert [set(users) for users in asked] == [{job_id}]
    assert asked[0][job_id]
    assert story.job(job_id).phase is Phase.DISPATCHING
    assert story.scheduler.started == []
    story.clock.advance(3)
    story.step()
    assert story.scheduler.started == [(job_id, 0, 0)]


def test_a_job_in_doubt_waits_for_an_answer_and_holds_up_no_new_one(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.scheduler.scenario = SubmitScenario.LOSE_ANSWER
    in_doubt = story.submit(spec("in-doubt"))
    story.step()
    story.scheduler.scenario = SubmitScenario.ACCEPT

    async def cannot_say(_: object) -> dict[UUID, str]:
        raise SchedulerUnavailable("cannot reach slurmrestd at http://10.0.0.7:6820")

    with monkeypatch.context() as patch:
        patch.setattr(story.scheduler, "find", cannot_say)
        new = story.submit(spec("new"))
        story.clock.advance(3)
        story.step()
    assert story.job(new).phase is Phase.TRACKED
    assert (story.job(in_doubt).phase, story.job(in_doubt).state_reason) == (
        Phase.DISPATCHING,
        "SchedulerUnavailable",  # and not the address
    )
    story.clock.advance(3)
    story.step()
    assert story.job(in_doubt).phase is Phase.TRACKED
    assert sorted(story.scheduler.started) == sorted([(in_doubt, 0, 0), (new, 0, 0)])


def test_a_job_that_cannot_be_closed_stops_nobody_else(story: Story) -> None:
    odd, healthy = story.submit(spec("odd")), story.submit(spec("healthy"))
    request_cancel(story.city.services, story.city.chips.member, [odd, healthy])
    with story.city.services.engine.begin() as connection:
        connection.execute(delete(QuotaHold).where(col(QuotaHold.job_id) == odd))
    story.step()
    assert story.job(odd).phase is Phase.ENDED
    assert story.job(healthy).phase is Phase.SETTLED


def test_a_job_that_the_scheduler_forgot_is_closed_once_nobody_wants_it(story: Story) -> None:
    unwanted, wanted = story.submit(spec("unwanted")), story.submit(spec("wanted"))
    asyncio.run(dispatch_once(story.context))
    request_cancel(story.city.services, story.city.chips.member, [unwanted])
    story.context = replace(story.context, scheduler=MemoryScheduler(clock=story.clock))
    story.step()
    assert story.job(unwanted).phase is Phase.TRACKED  # not at once: it may just be on its way
    story.clock.advance(61)
    story.step()
    job = story.job(unwanted)
    assert (job.phase, job.state, job.tasks_cancelled) == (Phase.SETTLED, JobState.CANCELLED, 1)
    assert story.job(wanted).phase is Phase.TRACKED
    assert story.vnd()[1] == HELD_FOR_AN_HOUR
    story.require_exact_ledger()


def test_runs_that_nobody_has_metered_hold_up_no_others(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "_BATCH", 2)
    story.scheduler._features = frozenset({Feature.PUSHES_CHANGES})
    lost, other = [story.submit(spec("lost")) for _ in range(2)], story.submit(spec("metered"))
    story.step()
    unknown = set(lost)
    used = JobUsage(story.clock.now(), story.clock.now(), elapsed_seconds=1, allocated_tres={"cpu": 1})

    run = TaskSnapshot(0, 0, JobState.COMPLETED, usage=used)

    async def accounted(asked: Collection[JobRef]) -> Mapping[RunKey, TaskSnapshot]:
        return {(job.job_id, 0, 0): run for job in asked if job.job_id not in unknown}

    monkeypatch.setattr(story.scheduler, "accounted", accounted)
    for job_id in (*lost, other):
        story.scheduler.finish(job_id)
    story.step()
    assert story.job(other).phase is Phase.SETTLED
    assert {story.job(job_id).phase for job_id in lost} == {Phase.ENDED}
    unknown.clear()
    story.clock.advance(6)
    story.step()
    assert {story.job(job_id).phase for job_id in lost} == {Phase.SETTLED}
    story.require_exact_ledger()


def test_a_job_that_nobody_cancelled_does_not_end_without_a_run_where_only_the_portal_can_cancel(
    story: Story,
) -> None:
    story.scheduler._features |= {Feature.OURS_ALONE}
    forgotten, cancelled = story.submit(spec("forgotten")), story.submit(spec("cancelled"))
    asyncio.run(dispatch_once(story.context))
    request_cancel(story.city.services, story.city.chips.member, [cancelled])
    snapshots = {
        job_id: JobSnapshot(story.job(job_id).scheduler_job_id, is_closed=True)
        for job_id in (forgotten, cancelled)
    }

    async def observe(jobs: Mapping[UUID, JobRef], *, since: int | None = None) -> Observation:
        return Observation(since or 1, {job_id: snapshots[job_id] for job_id in jobs})

    remembering = story.scheduler.observe
    story.scheduler.observe = observe  # type: ignore[method-assign]
    with pytest.raises(SchedulerBroken, match=str(forgotten)):
        asyncio.run(track_once(story.context, Tracker()))
    assert {story.job(job_id).phase for job_id in (forgotten, cancelled)} == {Phase.TRACKED}
    del snapshots[forgotten]
    story.scheduler.observe = remembering  # type: ignore[method-assign]
    story.step()
    story.scheduler.finish(forgotten)
    story.step()
    assert story.job(forgotten).state is JobState.COMPLETED
    assert story.job(cancelled).state is JobState.CANCELLED
    story.require_exact_ledger()
