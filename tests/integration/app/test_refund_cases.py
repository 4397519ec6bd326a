"""Refund cases: asked by people, decided by administrators, posted once; on both databases."""

import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.budgets.decide_refund_case import decide_refund_case
from hpc_portal.app.budgets.end_rules import WantedRule, decide_end_rule
from hpc_portal.app.budgets.raise_refund_case import raise_refund_case, withdraw_refund_case
from hpc_portal.app.budgets.refund_cases import get_case, job_refunds, list_cases
from hpc_portal.app.budgets.tables import RefundCaseState
from hpc_portal.app.errors import InvalidEntry, JobNotFound, NotAllowed, NotFound, RefundCaseRefused
from hpc_portal.app.notices.tables import Notice
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import HOUR, spec

GRANTED = 100_000_000
CHARGED = 180 + 18
WHY = "The licence server was down."


def finish(story: Story, state: JobState = JobState.COMPLETED) -> UUID:
    """A job of the member that ran for half an hour."""
    job_id = story.submit(spec())
    story.step()
    story.scheduler.advance(HOUR / 2)
    story.scheduler.finish(job_id, state=state)
    story.step()
    return job_id


@pytest.fixture
def job_id(story: Story) -> UUID:
    return finish(story)


def ask(story: Story, job_id: UUID, percent: int = 100, *, actor: Actor | None = None) -> UUID:
    who = actor or story.city.chips.member
    return raise_refund_case(story.city.services, who, job_id, percent=percent, reason=WHY)


def decide(story: Story, case_id: UUID, percent: int) -> dict[str, int]:
    return decide_refund_case(
        story.city.services, OPERATOR, case_id, percent=percent, reason="Seen in its log."
    ).by_asset


def told(story: Story, user_id: UUID) -> list[str]:
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(select(col(Notice.kind)).where(col(Notice.user_id) == user_id))
        return list(rows.scalars())


def test_a_case_that_is_approved_gives_all_of_it_back(story: Story, job_id: UUID) -> None:
    case_id = ask(story, job_id)
    assert decide(story, case_id, 100) == {"VND": CHARGED}
    assert decide(story, case_id, 100) == {}
    assert story.vnd() == (GRANTED, 0, 0)
    with story.city.services.reading() as session:
        case = get_case(session, story.city.chips.member, case_id)
        refunds = job_refunds(session, story.city.chips.member, job_id)
    assert (case.state, case.granted_percent) == (RefundCaseState.APPROVED, 100)
    assert (refunds.charged, refunds.refunded, refunds.can_ask) == ({"VND": CHARGED}, {"VND": CHARGED}, False)
    assert told(story, story.city.chips.member.user_id) == ["refund.approved"]
    story.require_exact_ledger()


def test_who_left_is_not_told_of_the_tenant_any_more(story: Story, job_id: UUID) -> None:
    chips = story.city.chips
    case_id = ask(story, job_id)
    set_organisation_membership(
        story.city.services, OPERATOR, organisation="chips-org", username=chips.member.username, role=None
    )
    assert decide(story, case_id, 100) == {"VND": CHARGED}
    assert told(story, chips.member.user_id) == []


def test_a_case_may_be_approved_partly_or_denied(story: Story, job_id: UUID) -> None:
    assert decide(story, ask(story, job_id, 80), 50) == {"VND": CHARGED // 2}
    case_id = ask(story, job_id, 30)
    assert decide(story, case_id, 0) == {}
    with story.city.services.reading() as session:
        states = [case.state for case in job_refunds(session, OPERATOR, job_id).cases]
    assert states == [RefundCaseState.PARTLY_APPROVED, RefundCaseState.DENIED]
    assert story.vnd() == (GRANTED - CHARGED // 2, 0, CHARGED // 2)
    story.require_exact_ledger()


def test_a_case_is_withdrawn_by_whoever_may_act_on_the_job(story: Story, job_id: UUID) -> None:
    case_id = ask(story, job_id)
    assert withdraw_refund_case(story.city.services, story.city.chips.lead, case_id)
    assert not withdraw_refund_case(story.city.services, story.city.chips.member, case_id)
    with pytest.raises(RefundCaseRefused, match="withdrawn already"):
        decide(story, case_id, 100)
    decided = ask(story, job_id)
    decide(story, decided, 100)
    with pytest.raises(RefundCaseRefused, match="decided already"):
        withdraw_refund_case(story.city.services, story.city.chips.member, decided)


def test_one_case_of_a_job_is_open_at_a_time(story: Story, job_id: UUID) -> None:
    ask(story, job_id)
    with pytest.raises(RefundCaseRefused, match="open case"):
        ask(story, job_id, 50)


def test_nothing_is_refunded_that_was_not_charged_or_is_not_settled(story: Story) -> None:
    lost = finish(story, JobState.NODE_FAIL)
    running = story.submit(spec())
    story.step()
    for job_id in (lost, running):
        with pytest.raises(RefundCaseRefused):
            ask(story, job_id)
    with story.city.services.reading() as session:
        refunds = job_refunds(session, story.city.chips.member, lost)
    assert (refunds.charged, refunds.waived_runs) == ({}, 1)
    assert refunds.waived["cpu"] == HOUR // 2


def test_a_site_may_give_back_what_its_machines_broke_up_to_a_cap(story: Story) -> None:
    wanted = WantedRule(JobState.NODE_FAIL, is_charged=True, free_seconds_per_job=HOUR // 3)
    decide_end_rule(story.city.services, OPERATOR, wanted, reason="As the board decided.")
    with pytest.raises(NotAllowed):
        decide_end_rule(story.city.services, story.city.chips.lead, wanted, reason=WHY)
    lost = finish(story, JobState.NODE_FAIL)
    assert story.vnd()[2] == CHARGED // 3
    with story.city.services.reading() as session:
        refunds = job_refunds(session, story.city.chips.member, lost)
    assert (refunds.charged, refunds.refunded) == ({"VND": CHARGED}, {"VND": CHARGED // 3 * 2})
    story.require_exact_ledger()


def test_other_tenants_see_nothing_and_people_decide_nothing(story: Story, job_id: UUID) -> None:
    case_id = ask(story, job_id)
    services, rival, member = story.city.services, story.city.rivals.lead, story.city.chips.member
    with pytest.raises(JobNotFound):
        ask(story, job_id, actor=rival)
    with pytest.raises(NotFound):
        withdraw_refund_case(services, rival, case_id)
    with services.reading() as session:
        assert list_cases(session, rival) == []
        assert [case.id for case in list_cases(session, member)] == [case_id]
        with pytest.raises(NotFound):
            get_case(session, rival, case_id)
    for actor in (member, story.city.chips.lead, rival):
        with pytest.raises(NotAllowed):
            decide_refund_case(services, actor, case_id, percent=100, reason=WHY)
    other_member = replace(member, user_id=uuid4())
    with pytest.raises(NotAllowed):
        ask(story, job_id, actor=other_member)


def test_what_makes_no_sense_changes_nothing(story: Story, job_id: UUID) -> None:
    for percent, reason in ((0, WHY), (101, WHY), (-1, WHY), (50, " "), (50, "x" * 2001)):
        with pytest.raises(InvalidEntry):
            raise_refund_case(
                story.city.services, story.city.chips.member, job_id, percent=percent, reason=reason
            )
    case_id = ask(story, job_id, 40)
    for percent in (-1, 41, 100):
        with pytest.raises(InvalidEntry):
            decide(story, case_id, percent)
    with pytest.raises(NotFound):
        decide(story, uuid4(), 10)
    assert story.vnd() == (GRANTED - CHARGED, 0, CHARGED)


def test_of_two_administrators_at_the_same_instant_one_decides(story: Story, job_id: UUID) -> None:
    case_id = ask(story, job_id)
    start = threading.Barrier(2)
    outcomes: list[object] = []

    def in_a_thread(percent: int) -> Callable[[], None]:
        def work() -> None:
            start.wait()
            try:
                outcomes.append(decide(story, case_id, percent))
            except RefundCaseRefused as problem:
                outcomes.append(problem)

        return work

    threads = [threading.Thread(target=in_a_thread(percent)) for percent in (100, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, RefundCaseRefused) for outcome in outcomes) == 1
    (given,) = (outcome for outcome in outcomes if isinstance(outcome, dict))
    assert story.vnd() == (GRANTED - CHARGED + given["VND"], 0, CHARGED - given["VND"])
    story.require_exact_ledger()
