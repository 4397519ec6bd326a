"""Changes of jobs under way: recorded once, carried out once, paid for before, and never half."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, insert, select, text, update
from sqlmodel import col

from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.db import transact
from hpc_portal.app.errors import ChangeImpossible, JobNotFound, NotAllowed
from hpc_portal.app.jobs.carry_changes import ChangeStep
from hpc_portal.app.jobs.change import request_change, request_one_change
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState, HeldBy
from hpc_portal.app.tables import GlobalRole, Job, JobChange, JobEvent, User
from quotas.errors import BudgetExceeded, LimitExceeded
from quotas.limits import LimitKind, LimitOwner
from quotas.set_limit import set_limit
from schedulers.errors import SchedulerUnavailable
from schedulers.jobspec import ArraySpec
from schedulers.protocol import (
    CancelTasks,
    ChangeOutcome,
    ChangeRequest,
    HoldJob,
    JobRef,
    Refused,
    ReleaseJob,
    RequeueJob,
    SetNice,
    SetWalltime,
)
from schedulers.protocol import JobChange as Change
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec
from tests.small_city import GRANTED_AT

HOUR = 3600
WHOLE_NODE = {"ntasks": 64, "walltime_seconds": HOUR}


def change(story: Story, job_id: UUID, wish: Change, *, actor: Actor | None = None) -> int:
    return request_one_change(story.city.services, actor or story.city.chips.member, job_id, wish)


def changes_of(story: Story, job_id: UUID) -> Sequence[Row[Any]]:
    with story.city.services.engine.connect() as connection:
        table = JobChange.__table__  # type: ignore[attr-defined]
        return connection.execute(
            select(table).where(col(JobChange.job_id) == job_id).order_by(col(JobChange.sequence))
        ).all()


def kinds(story: Story, job_id: UUID) -> list[str]:
    with story.city.services.engine.connect() as connection:
        events = select(col(JobEvent.kind)).where(col(JobEvent.job_id) == job_id)
        return list(connection.execute(events.order_by(col(JobEvent.sequence))).scalars())


def administrator(story: Story) -> Actor:
    member = story.city.chips.member
    values = {
        "id": UUID(int=99),
        "username": "city",
        "display_name": "City",
        "password_hash": "",
        "global_role": GlobalRole.ADMINISTRATOR,
        "cluster_user": "city",
        "cluster_number": 99,
        "created_at": GRANTED_AT,
    }
    transact(story.city.services.engine, lambda connection: connection.execute(insert(User).values(values)))
    return replace(
        member,
        user_id=UUID(int=99),
        username="city",
        global_role=GlobalRole.ADMINISTRATOR,
        organisations={},
        projects={},
    )


def blocked(story: Story, **resources: Any) -> tuple[UUID, UUID]:  # noqa: ANN401 - of a ResourceRequest
    """A job that has the whole node, and one that waits behind it at the scheduler."""
    blocker = story.submit(spec(resources=WHOLE_NODE))
    waiting = story.submit(spec(resources={"walltime_seconds": HOUR, **resources}))
    story.step()
    assert story.job(waiting).phase is Phase.TRACKED
    return blocker, waiting


def test_a_job_that_is_held_before_it_is_handed_over_stays_until_it_is_released(story: Story) -> None:
    job_id = story.submit(spec())
    change(story, job_id, HoldJob())
    story.step()
    assert (story.job(job_id).phase, story.job(job_id).held_by) == (Phase.ACCEPTED, HeldBy.USER)
    change(story, job_id, ReleaseJob())
    story.step()
    assert story.job(job_id).phase is Phase.TRACKED
    assert [(row.kind, row.state) for row in changes_of(story, job_id)] == [
        ("hold", ChangeState.CARRIED),
        ("release", ChangeState.CARRIED),
    ]
    assert story.scheduler.started == [(job_id, 0, 0)]


def test_a_job_that_waits_at_the_scheduler_is_held_there_and_released(story: Story) -> None:
    blocker, waiting = blocked(story)
    change(story, waiting, HoldJob())
    assert changes_of(story, waiting)[0].state is ChangeState.REQUESTED
    story.step()
    assert (story.job(waiting).held_by, story.job(waiting).state_reason) == (HeldBy.USER, "JobHeldUser")
    story.scheduler.finish(blocker)
    story.step()
    assert not story.scheduler.running()
    change(story, waiting, ReleaseJob())
    story.step()
    assert story.scheduler.running() == [(waiting, 0, 0)]
    assert kinds(story, waiting).count("job.changed") == 2
    assert kinds(story, waiting).count("job.change_requested") == 2


def test_a_wish_is_told_once(story: Story) -> None:
    _, waiting = blocked(story)
    told: list[ChangeRequest] = []
    original = story.scheduler.change

    async def listen(requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        told.extend(requests)
        return await original(requests)

    story.scheduler.change = listen  # type: ignore[method-assign]
    change(story, waiting, SetNice(5))
    story.step()
    story.step()
    assert [request.change for request in told] == [SetNice(5)]


def test_a_controller_that_dies_after_telling_tells_again_and_nothing_happens_twice(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(10)
    change(story, job_id, RequeueJob())
    row = changes_of(story, job_id)[0]
    job = JobRef(job_id, str(story.job(job_id).scheduler_job_id))
    told = ChangeRequest(job, RequeueJob(started_before=row.requested_at))
    asyncio.run(story.scheduler.change([told]))  # told, and the controller dies before it can write that
    story.step()
    assert story.scheduler.started == [(job_id, 0, 0), (job_id, 0, 1)]
    assert changes_of(story, job_id)[0].state is ChangeState.CARRIED
    assert kinds(story, job_id).count("job.changed") == 1


def test_a_requeued_job_runs_again_and_pays_for_both_runs(story: Story) -> None:
    job_id = story.submit(spec(resources={"walltime_seconds": 100}))
    story.step()
    story.scheduler.advance(50)
    change(story, job_id, RequeueJob())
    story.step()
    first, second = story.runs(job_id)
    assert (first.state, first.is_requeued, first.elapsed_seconds) == ("CANCELLED", True, 50)
    assert second.ended_at is None
    story.scheduler.advance(20)
    story.scheduler.finish(job_id)
    story.step()
    assert story.job(job_id).state == "COMPLETED"
    assert [run.charged_vnd for run in story.runs(job_id)] == [6, 2]  # a CPU and 1 GiB cost 0.11 a second
    story.require_exact_ledger()


def test_a_longer_walltime_is_held_at_once_and_a_shorter_one_freed(story: Story) -> None:
    _, waiting = blocked(story)
    _, before, _ = story.vnd()
    hour = story.job(waiting).estimated_vnd
    change(story, waiting, SetWalltime(3 * HOUR))
    assert story.vnd()[1] == before + 2 * hour
    story.step()
    assert story.job(waiting).estimated_vnd == 3 * hour
    assert story.job(waiting).spec["resources"]["walltime_seconds"] == 3 * HOUR
    change(story, waiting, SetWalltime(HOUR))
    assert story.vnd()[1] == before + 2 * hour
    story.step()
    assert story.vnd()[1] == before
    assert story.job(waiting).estimated_vnd == hour
    story.require_exact_ledger()


def test_a_running_job_gets_the_longer_walltime(story: Story) -> None:
    job_id = story.submit(spec(resources={"walltime_seconds": 60}))
    story.step()
    change(story, job_id, SetWalltime(600))
    story.step()
    story.scheduler.advance(599)
    story.step()
    assert story.job(job_id).state == "RUNNING"
    story.scheduler.advance(2)
    story.step()
    assert story.job(job_id).state == "TIMEOUT"
    story.require_exact_ledger()


def test_a_walltime_that_nobody_pays_for_is_refused_and_changes_nothing(story: Story) -> None:
    # Eight H100 at 36,000 and a CPU at 360 đồng an hour: two jobs of 160 hours leave under 8 million.
    whole = {"gpus_per_node": {"h100": 8}}
    for _ in range(2):
        story.submit(spec(resources={**whole, "walltime_seconds": 160 * HOUR}))
    job_id = story.submit(spec(resources={**whole, "walltime_seconds": HOUR}))
    books = story.vnd()
    with pytest.raises(BudgetExceeded):
        change(story, job_id, SetWalltime(40 * HOUR))
    assert story.vnd() == books
    assert story.job(job_id).spec["resources"]["walltime_seconds"] == HOUR
    assert changes_of(story, job_id) == []
    story.require_exact_ledger()


def test_a_partition_s_maximum_and_a_limit_are_kept(story: Story) -> None:
    job_id = story.submit(spec())
    with pytest.raises(ChangeImpossible, match="7-00:00:00"):
        change(story, job_id, SetWalltime(8 * 24 * HOUR))
    transact(
        story.city.services.engine,
        lambda connection: set_limit(
            connection,
            owner_kind=LimitOwner.PROJECT,
            owner_id=story.city.chips.project_id,
            kind=LimitKind.WALLTIME_SECONDS,
            value=2 * HOUR,
            actor_id=None,
            at=GRANTED_AT,
        ),
    )
    with pytest.raises(LimitExceeded):
        change(story, job_id, SetWalltime(3 * HOUR))
    assert changes_of(story, job_id) == []


def test_a_refusal_of_the_scheduler_is_stored_told_and_gives_the_budget_back(story: Story) -> None:
    _, waiting = blocked(story)
    held = story.vnd()[1]

    async def refuse(requests: Sequence[ChangeRequest]) -> Sequence[ChangeOutcome]:
        return [Refused("Only an operator may do that.") for _ in requests]

    change(story, waiting, SetWalltime(2 * HOUR))
    assert story.vnd()[1] > held
    story.scheduler.change = refuse  # type: ignore[method-assign]
    story.step()
    (row,) = changes_of(story, waiting)
    assert (row.state, row.refusal) == (ChangeState.REFUSED, "Only an operator may do that.")
    assert story.vnd()[1] == held
    assert story.job(waiting).spec["resources"]["walltime_seconds"] == HOUR
    assert "job.change_refused" in kinds(story, waiting)
    story.require_exact_ledger()


def test_while_the_scheduler_is_away_wishes_wait(story: Story) -> None:
    _, waiting = blocked(story)
    change(story, waiting, HoldJob())
    story.scheduler.is_available = False
    with pytest.raises(SchedulerUnavailable):
        asyncio.run(ChangeStep(story.context)())
    assert changes_of(story, waiting)[0].state is ChangeState.REQUESTED
    story.scheduler.is_available = True
    story.step()
    assert story.job(waiting).held_by is HeldBy.USER


def test_tasks_of_a_running_array_are_cancelled_and_the_others_complete(story: Story) -> None:
    job_id = story.submit(spec(array=ArraySpec(expression="0-5%2")))
    story.step()
    change(story, job_id, CancelTasks(ArraySpec(expression="1,4-5")))
    story.step()
    states = {run.task_index: run.state for run in story.runs(job_id)}
    assert (states[1], states[4], states[5]) == ("CANCELLED", "CANCELLED", "CANCELLED")
    story.scheduler.finish_all()
    story.step()
    job = story.job(job_id)
    assert (job.tasks_completed, job.tasks_cancelled, job.phase) == (3, 3, Phase.SETTLED)
    assert {task for _, task, _ in story.scheduler.started} == {0, 1, 2, 3}
    story.require_exact_ledger()


def test_tasks_of_an_array_that_waits_here_never_reach_the_scheduler(story: Story) -> None:
    job_id = story.submit(spec(array=ArraySpec(expression="0-5")))
    held = story.vnd()[1]
    change(story, job_id, CancelTasks(ArraySpec(expression="1-2,5")))
    assert story.vnd()[1] == held // 2
    story.step()
    story.scheduler.finish_all()
    story.step()
    assert [task for _, task, _ in story.scheduler.started] == [0, 3, 4]
    job = story.job(job_id)
    assert (job.tasks_completed, job.tasks_cancelled, job.phase) == (3, 3, Phase.SETTLED)
    story.require_exact_ledger()


def test_an_array_that_loses_its_last_task_here_ends_as_cancelled(story: Story) -> None:
    job_id = story.submit(spec(array=ArraySpec(expression="0-2")))
    change(story, job_id, CancelTasks(ArraySpec(expression="0-2")))
    story.step()
    assert (story.job(job_id).state, story.job(job_id).phase) == ("CANCELLED", Phase.SETTLED)
    assert story.vnd()[1] == 0
    story.require_exact_ledger()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (ReleaseJob(), "not held"),
        (RequeueJob(), "Nothing of the job runs"),
        (SetWalltime(HOUR), "has this time limit already"),
        (CancelTasks(ArraySpec(expression="0")), "no array"),
    ],
)
def test_a_change_that_makes_no_sense_says_so_and_changes_nothing(
    story: Story, wish: Change, words: str
) -> None:
    job_id = story.submit(spec(resources={"walltime_seconds": HOUR}))
    with pytest.raises(ChangeImpossible, match=words):
        change(story, job_id, wish)
    assert changes_of(story, job_id) == []


def test_a_running_job_cannot_be_given_an_end_that_has_passed(story: Story) -> None:
    job_id = story.submit(spec(resources={"walltime_seconds": HOUR}))
    story.step()
    story.scheduler.advance(600)
    with pytest.raises(ChangeImpossible, match="has run for 00:10:00 already"):
        change(story, job_id, SetWalltime(300))


def test_an_administrator_s_hold_is_released_by_an_administrator_only(story: Story) -> None:
    job_id, admin = story.submit(spec()), administrator(story)
    change(story, job_id, HoldJob(), actor=admin)
    assert story.job(job_id).held_by is HeldBy.ADMINISTRATOR
    with pytest.raises(NotAllowed):
        change(story, job_id, ReleaseJob())
    change(story, job_id, ReleaseJob(), actor=admin)
    assert story.job(job_id).held_by is None


def test_who_releases_a_job_tells_the_scheduler_whether_they_are_an_administrator(story: Story) -> None:
    _, waiting = blocked(story)
    for actor in (None, administrator(story)):
        change(story, waiting, HoldJob())
        change(story, waiting, ReleaseJob(), actor=actor)
    assert [row.facts for row in changes_of(story, waiting) if row.kind == ChangeKind.RELEASE] == [
        {},
        {"by_administrator": True},
    ]


def test_only_an_administrator_lets_a_job_overtake_others(story: Story) -> None:
    blocker, _ = blocked(story)
    late = story.submit(spec())
    story.step()
    with pytest.raises(NotAllowed):
        change(story, late, SetNice(-10))
    change(story, late, SetNice(-10), actor=administrator(story))
    story.step()
    assert (story.job(late).priority, story.job(late).spec.get("nice", 0)) == (10, 0)
    story.scheduler.finish(blocker)
    assert story.scheduler.started[1] == (late, 0, 0)


def test_in_bulk_what_cannot_be_changed_is_left_out_and_what_may_not_be_stops_all(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    first, second = story.submit(spec()), story.submit(spec())
    change(story, second, HoldJob())
    recorded = request_change(services, chips.member, [first, second, first], HoldJob())
    assert set(recorded.changes) == {first}
    assert [(left.job_id, left.problem.text) for left in recorded.left_out] == [
        (second, "The job is held already.")
    ]
    foreign = story.submit(spec(), actor=story.city.rivals.member, project="rivals")
    with pytest.raises(JobNotFound):
        request_change(services, chips.member, [first, foreign], ReleaseJob())
    assert story.job(first).held_by is HeldBy.USER
    leads = story.submit(spec(), actor=chips.lead)
    with pytest.raises(NotAllowed):
        request_change(services, chips.member, [first, leads], ReleaseJob())
    assert story.job(first).held_by is HeldBy.USER


def test_every_change_is_in_the_audit_log(story: Story) -> None:
    job_id = story.submit(spec())
    change(story, job_id, SetNice(7), actor=story.city.chips.lead)
    with story.city.services.engine.connect() as connection:
        record = connection.execute(
            select(col(AuditRecord.actor_id), col(AuditRecord.subject), col(AuditRecord.facts)).where(
                col(AuditRecord.action) == "job.change_requested"
            )
        ).one()
    assert record == (story.city.chips.lead.user_id, str(job_id), {"change": "nice", "nice": 7})


def test_a_job_that_ended_before_its_change_was_carried_out_refuses_it(story: Story) -> None:
    job_id = story.submit(spec(resources={"walltime_seconds": HOUR}))
    story.step()
    change(story, job_id, SetWalltime(2 * HOUR))
    story.scheduler.finish(job_id)
    story.step()
    (row,) = changes_of(story, job_id)
    assert row.state is ChangeState.REFUSED
    assert story.vnd()[1] == 0
    story.require_exact_ledger()


def test_a_job_that_ends_while_its_change_is_asked_for_is_not_changed(story: Story) -> None:
    engine = story.city.services.engine
    if engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time: it cannot happen")
    job_id = story.submit(spec())
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            connection.execute(update(Job).where(col(Job.id) == job_id).values(phase=Phase.ENDED))
            asked = pool.submit(change, story, job_id, HoldJob())
            deadline = time.monotonic() + 30
            while not connection.execute(waiting).scalar() and time.monotonic() < deadline:
                time.sleep(0.02)
        with pytest.raises(ChangeImpossible, match="over"):
            asked.result(30)
    assert changes_of(story, job_id) == []


def test_wishes_of_one_job_are_carried_out_in_their_order(story: Story) -> None:
    _, waiting = blocked(story)
    for wish in (HoldJob(), ReleaseJob(), HoldJob(), SetWalltime(2 * HOUR), ReleaseJob()):
        change(story, waiting, wish)
    story.step()
    assert story.job(waiting).held_by is None
    assert {row.state for row in changes_of(story, waiting)} == {ChangeState.CARRIED}
    story.require_exact_ledger()
