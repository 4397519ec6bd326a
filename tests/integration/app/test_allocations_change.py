"""Allocations are changed by administrators only, told, recorded, and end by themselves."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.budgets import change_allocation as change
from hpc_portal.app.budgets.allocations import allocation_events, get_allocation, list_allocations
from hpc_portal.app.budgets.budget_step import BudgetStep, warn
from hpc_portal.app.errors import InvalidEntry, NotAllowed
from hpc_portal.app.jobs.estimate import estimate_job
from hpc_portal.app.jobs.prepare import SubmitRequest
from hpc_portal.app.notices.tables import Notice
from quotas.errors import AllocationNotFound, AllocationStopped, BudgetExceeded, NotEnoughFree
from quotas.grant import grant
from quotas.move_budget import move_budget
from quotas.tables import Allocation, AllocationState, HoldPolicy
from schedulers.jobspec import ResourceRequest
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import HELD_FOR_AN_HOUR, spec

WHY = "The tape-out was moved."
DAY = timedelta(days=1)


@pytest.fixture
def allocation_id(story: Story) -> UUID:
    with story.city.services.engine.connect() as connection:
        found: UUID = connection.execute(
            select(col(Allocation.id)).where(col(Allocation.project_id) == story.city.chips.project_id)
        ).scalar_one()
    return found


def tape_out(story: Story, *, days: int, vnd: int) -> UUID:
    """Another grant, that ends first and so is used first."""
    now = story.clock.now()
    with story.city.services.engine.begin() as connection:
        return grant(
            connection,
            project_id=story.city.chips.project_id,
            lines={"VND": vnd},
            valid_from=now,
            valid_to=now + days * DAY,
            overdraft=None,
            actor_id=None,
            reason="tape-out",
            idempotency_key=f"tape-out-{days}-{vnd}",
            at=now,
        )


def told(story: Story) -> list[tuple[str, Any]]:
    """What the lead was told, with the days or percents in it."""
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(
            select(col(Notice.kind), col(Notice.facts))
            .where(col(Notice.user_id) == story.city.chips.lead.user_id)
            .order_by(col(Notice.at), col(Notice.id))
        )
        return [(row.kind, row.facts.get("days", row.facts.get("percent"))) for row in rows]


def keep_house(story: Story) -> None:
    async def until_done() -> None:
        step = BudgetStep(story.context)
        while await step():
            pass

    asyncio.run(until_done())


def test_every_change_is_told_and_recorded_once(story: Story, allocation_id: UUID) -> None:
    services, until = story.city.services, story.clock.now() + 4000 * DAY
    more = {"VND": 5}
    deeds: list[Callable[[], bool]] = [
        lambda: change.increase_allocation(
            services, OPERATOR, allocation_id, {"VND": 5}, reason=WHY, key="a"
        ),
        lambda: change.reduce_allocation(services, OPERATOR, allocation_id, more, reason=WHY, key="a"),
        lambda: change.extend_allocation(services, OPERATOR, allocation_id, until, reason=WHY),
        lambda: change.set_hold_policy(services, OPERATOR, allocation_id, HoldPolicy.ROLLING, reason=WHY),
        lambda: change.suspend_allocation(services, OPERATOR, allocation_id, reason=WHY),
    ]
    for deed in deeds:
        assert deed()
        assert not deed()
    with pytest.raises(BudgetExceeded):
        story.submit(spec())
    assert change.resume_allocation(services, OPERATOR, allocation_id, reason=WHY)
    story.submit(spec())
    assert change.close_allocation(services, OPERATOR, allocation_id, reason=WHY)
    assert [kind for kind, _ in told(story)] == [
        "allocation.increased",
        "allocation.reduced",
        "allocation.extended",
        "allocation.suspended",
        "allocation.resumed",
        "allocation.closed",
    ]
    with services.engine.connect() as connection:
        deeds_done = connection.execute(
            select(col(AuditRecord.action)).order_by(col(AuditRecord.sequence))
        ).scalars()
        assert [action for action in deeds_done if action.startswith("allocation.")] == [
            "allocation.increased",
            "allocation.reduced",
            "allocation.extended",
            "allocation.hold_policy_set",
            "allocation.suspended",
            "allocation.resumed",
            "allocation.closed",
        ]
    with services.reading() as session:
        seen = get_allocation(session, story.city.chips.member, allocation_id)
        events = allocation_events(session, story.city.chips.member, allocation_id)
    assert (seen.state, seen.hold_policy) == (AllocationState.CLOSED, HoldPolicy.ROLLING)
    assert (seen.lines[0].held, seen.lines[0].expired) == (HELD_FOR_AN_HOUR, 100_000_000 - HELD_FOR_AN_HOUR)
    assert [event.kind for event in events] == ["extended", "policy", "suspended", "resumed", "closed"]
    story.require_exact_ledger()


def test_what_jobs_hold_is_not_taken_back(story: Story, allocation_id: UUID) -> None:
    story.submit(spec())
    with pytest.raises(NotEnoughFree):
        change.reduce_allocation(
            story.city.services, OPERATOR, allocation_id, {"VND": 100_000_000}, reason=WHY, key="a"
        )
    assert told(story) == []


def test_only_administrators_change_allocations_and_only_for_a_reason(
    story: Story, allocation_id: UUID
) -> None:
    services = story.city.services
    for actor in (story.city.chips.lead, story.city.chips.member, story.city.rivals.lead):
        with pytest.raises(NotAllowed):
            change.suspend_allocation(services, actor, allocation_id, reason=WHY)
    with pytest.raises(InvalidEntry):
        change.suspend_allocation(services, OPERATOR, allocation_id, reason=" ")
    with pytest.raises(AllocationNotFound):
        change.suspend_allocation(services, OPERATOR, uuid4(), reason=WHY)
    with services.reading() as session:
        assert [one.id for one in list_allocations(session, story.city.chips.member)] == [allocation_id]
        assert allocation_id not in [one.id for one in list_allocations(session, story.city.rivals.lead)]
        with pytest.raises(AllocationNotFound):
            get_allocation(session, story.city.rivals.lead, allocation_id)


def test_an_end_is_told_at_60_30_14_7_and_1_days_and_when_it_is_there(story: Story) -> None:
    grant_id = tape_out(story, days=90, vnd=1000)
    keep_house(story)
    assert told(story) == []
    for days in (40, 20, 18, 4, 2, 5):
        story.clock.advance(days * 86_400)
        keep_house(story)
        keep_house(story)
    ends = [facts for kind, facts in told(story) if kind == "allocation.ends_soon"]
    assert ends == [60, 30, 14, 7, 1]
    story.clock.advance(86_400)
    keep_house(story)
    assert told(story)[-1] == ("allocation.ended", None)
    with story.city.services.reading() as session:
        (ended,) = list_allocations(session, OPERATOR, project="chips", ended=True)
    assert (ended.id, ended.state, ended.lines[0].expired) == (grant_id, AllocationState.EXPIRED, 1000)
    story.require_exact_ledger()


def test_80_and_100_percent_are_told_once(story: Story) -> None:
    tape_out(story, days=90, vnd=5 * HELD_FOR_AN_HOUR)
    for _ in range(5):
        story.submit(spec())
        keep_house(story)
    assert told(story) == [("budget.used", 80), ("budget.used", 100)]


def test_a_part_says_what_it_is_stopped_by_and_so_does_the_refusal(story: Story, allocation_id: UUID) -> None:
    services = story.city.services
    with services.engine.begin() as connection:
        part = move_budget(
            connection,
            source=allocation_id,
            target_project=story.city.chips.project_id,
            lines={"VND": 5 * HELD_FOR_AN_HOUR},
            valid_to=None,
            actor_id=None,
            reason="a part",
            key="a part",
            at=story.clock.now(),
        )
    change.suspend_allocation(services, OPERATOR, allocation_id, reason=WHY)
    with services.reading() as session:
        assert get_allocation(session, OPERATOR, part).stopped_by == allocation_id
        assert get_allocation(session, OPERATOR, allocation_id).stopped_by is None
    with pytest.raises(AllocationStopped, match=f"{allocation_id} of project chips, which is suspended"):
        story.submit(spec())
    estimate = estimate_job(services, story.city.chips.member, SubmitRequest(project="chips", spec=spec()))
    assert [type(refusal) for refusal in estimate.refusals] == [AllocationStopped]
    assert estimate.shortages == ()
    change.resume_allocation(services, OPERATOR, allocation_id, reason=WHY)
    with services.reading() as session:
        assert get_allocation(session, OPERATOR, part).stopped_by is None
    story.submit(spec())
    story.require_exact_ledger()


def test_whoever_looks_again_writes_nothing_when_nothing_changed(story: Story) -> None:
    tape_out(story, days=90, vnd=5 * HELD_FOR_AN_HOUR // 4)
    story.submit(spec())
    story.clock.advance(80 * 86_400)
    written: list[str] = []

    def note(*facts: Any) -> None:  # noqa: ANN401 - what SQLAlchemy tells
        statement: str = facts[2]
        if not statement.startswith("SELECT"):
            written.append(statement)

    with story.city.services.engine.begin() as connection:
        event.listen(connection, "before_cursor_execute", note)
        warn(connection, at=story.clock.now())
        assert written
        written.clear()
        warn(connection, at=story.clock.now())
        assert written == []
    assert {kind for kind, _ in told(story)} == {"budget.used", "allocation.ends_soon"}


def test_what_is_left_goes_on_into_the_renewed_allocation(story: Story, allocation_id: UUID) -> None:
    old = tape_out(story, days=1, vnd=1000)
    story.clock.advance(2 * 86_400)
    keep_house(story)
    assert change.carry_over_budget(
        story.city.services, OPERATOR, old, allocation_id, lines=None, reason="renewed", key="a"
    )
    assert not change.carry_over_budget(
        story.city.services, OPERATOR, old, allocation_id, lines=None, reason="renewed", key="a"
    )
    assert story.vnd()[0] == 100_001_000
    story.require_exact_ledger()


def test_a_time_limit_beyond_the_end_of_the_budget_is_told_before_the_click(story: Story) -> None:
    grant_id = tape_out(story, days=1, vnd=100 * HELD_FOR_AN_HOUR)
    services, member = story.city.services, story.city.chips.member
    fits = estimate_job(services, member, SubmitRequest(project="chips", spec=spec()))
    assert fits.notes == ()
    long = ResourceRequest(walltime_seconds=26 * 3600)
    crosses = estimate_job(services, member, SubmitRequest(project="chips", spec=spec(resources=long)))
    assert crosses.refusals == ()
    assert "ends on" in crosses.notes[-1]
    with services.reading() as session:
        assert get_allocation(session, member, grant_id).lines[0].held == 0
