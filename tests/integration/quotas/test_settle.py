"""Settlement: each run is charged once, in whatever order and however often it is told."""

from itertools import permutations
from uuid import UUID, uuid4

import pytest

from quotas.errors import HoldNotFound, InvalidAmount, KeyReused, UnpricedResource
from quotas.hold import shortfall
from quotas.hold_tables import HoldState, QuotaHold
from quotas.tables import AccountingRecord, Transfer, table_of
from quotas.verify import Rule
from schedulers.jobstate import JobState
from tests.integration.quotas.books import Books, run


@pytest.fixture
def job_id(books: Books) -> UUID:
    """A job that holds 100 đồng for each of three tasks, of 1,000 granted."""
    books.grant(VND=1000)
    return books.hold(cpu=100, units=3).job_id


def hold_states(books: Books) -> set[HoldState]:
    with books.engine.begin() as conn:
        return {row.state for row in conn.execute(table_of(QuotaHold).select())}


def lacking(books: Books, job_id: UUID) -> dict[str, int]:
    with books.engine.begin() as conn:
        return shortfall(conn, job_id)


def test_a_run_is_charged_and_the_rest_of_its_unit_released(books: Books, job_id: UUID) -> None:
    (charge,) = books.settle(job_id, run("a", seconds=60))
    assert (charge.run_key, charge.vnd, charge.is_charged, charge.is_new) == ("a", 60, True, True)
    assert books.state() == (740, 200, 60)
    assert books.discrepancies == []


def test_a_second_settle_charges_nothing_and_tells_the_first_charge(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", seconds=60))
    with books.unchanged():
        (charge,) = books.settle(job_id, run("a", seconds=60))
    assert (charge.vnd, charge.is_new, charge.is_revised) == (60, False, False)


def test_other_facts_for_a_known_run_are_flagged_and_not_charged(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", seconds=60))
    with books.unchanged():
        (charge,) = books.settle(job_id, run("a", seconds=61))
    assert (charge.vnd, charge.is_revised) == (60, True)


def test_a_key_given_twice_in_one_call_counts_once(books: Books, job_id: UUID) -> None:
    assert len(books.settle(job_id, run("a", seconds=60), run("a", seconds=60))) == 1
    assert books.state() == (740, 200, 60)


def test_old_and_new_runs_in_one_call(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", seconds=60))
    charges = books.settle(job_id, run("b", seconds=10), run("a", seconds=60))
    assert [(charge.run_key, charge.vnd, charge.is_new) for charge in charges] == [
        ("b", 10, True),
        ("a", 60, False),
    ]
    assert books.state() == (830, 100, 70)


def test_many_runs_are_one_transfer(books: Books) -> None:
    books.grant(VND=10**6, cpu=10**6)
    job_id = books.hold(cpu=100, units=1000).job_id
    before = books.count(Transfer)
    charges = books.settle(job_id, *(run(f"{job_id}:{task}", seconds=task % 100) for task in range(1000)))
    assert books.count(Transfer) == before + 1
    assert sum(charge.vnd for charge in charges) == 49_500
    assert books.state() == (10**6 - 49_500, 0, 49_500)
    assert books.state("cpu") == (10**6 - 49_500, 0, 49_500)
    assert hold_states(books) == {HoldState.SETTLED}
    assert books.discrepancies == []


def test_what_the_job_or_its_owner_ended_is_charged_for_the_time_it_had(books: Books) -> None:
    books.grant(VND=10_000)
    free = {JobState.NODE_FAIL, JobState.BOOT_FAIL}
    for state in (state for state in JobState if state.is_terminal and state not in free):
        assert books.settle(books.hold(cpu=100).job_id, run(state, seconds=60, state=state))[0].vnd == 60


def test_what_our_machines_broke_is_recorded_and_not_charged(books: Books, job_id: UUID) -> None:
    for state in (JobState.NODE_FAIL, JobState.BOOT_FAIL):
        (charge,) = books.settle(job_id, run(state, seconds=60, state=state))
        assert (charge.vnd, charge.is_charged) == (0, False)
    assert books.state() == (900, 100, 0)
    assert books.count(AccountingRecord) == 2


def test_a_cancelled_run_that_never_started_is_not_charged(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", state=JobState.CANCELLED, started=False))
    assert books.state() == (800, 200, 0)


def test_a_node_failure_that_is_requeued_keeps_its_unit_held(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a:0", seconds=60, state=JobState.NODE_FAIL, closes_unit=False))
    assert books.state() == (700, 300, 0)
    books.settle(job_id, run("a:1", seconds=70))
    assert books.state() == (730, 200, 70)


def test_a_requeued_run_is_charged_and_its_unit_topped_up(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a:0", seconds=60, closes_unit=False))
    assert books.state() == (640, 300, 60)
    assert lacking(books, job_id) == {}


def test_a_unit_that_cannot_be_topped_up_is_told(books: Books, job_id: UUID) -> None:
    books.hold(cpu=650)
    books.settle(job_id, run("a:0", seconds=60, closes_unit=False))
    assert books.state() == (50, 240 + 650, 60)
    assert lacking(books, job_id) == {"VND": 60}
    books.settle(job_id, run("a:1", seconds=30))
    assert books.state() == (60, 200 + 650, 90)
    assert lacking(books, job_id) == {}
    assert books.discrepancies == []


def test_a_hold_that_is_short_stays_so_until_enough_is_freed(books: Books, job_id: UUID) -> None:
    books.hold(cpu=690)
    books.settle(job_id, run("a:0", seconds=60, closes_unit=False), run("b:0", seconds=60, closes_unit=False))
    assert books.state() == (10, 180 + 690, 120)
    books.release(job_id, 1)
    assert books.state() == (10, 180 + 690, 120)
    assert lacking(books, job_id) == {"VND": 20}
    books.close(job_id)
    assert books.state() == (190, 690, 120)
    assert books.discrepancies == []


def test_use_beyond_the_unit_is_taken_from_what_is_available(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", seconds=130))
    assert books.state() == (670, 200, 130)


def test_use_beyond_the_budget_is_recorded_and_flagged(books: Books, job_id: UUID) -> None:
    books.hold(cpu=700)
    books.settle(job_id, run("a", seconds=130))
    assert books.state() == (-30, 900, 130)
    assert [(found.rule, found.found) for found in books.discrepancies] == [(Rule.WITHIN_OVERDRAFT, -30)]


def test_a_run_told_after_the_hold_was_closed_is_still_charged(books: Books, job_id: UUID) -> None:
    books.close(job_id)
    books.settle(job_id, run("a", seconds=60))
    assert books.state() == (940, 0, 60)
    assert books.discrepancies == []


def test_every_order_of_a_story_ends_with_the_same_balances(books: Books) -> None:
    books.grant(VND=100_000)
    story = [("a:0", 60, False), ("a:1", 20, True), ("b:0", 130, True)]
    for order in permutations(story):
        job_id = books.hold(cpu=100, units=2).job_id
        before = books.state()
        for key, seconds, closes_unit in order:
            books.settle(job_id, run(f"{job_id}{key}", seconds=seconds, closes_unit=closes_unit))
        books.close(job_id)
        assert books.state()[2] == before[2] + 210
        assert books.state()[1] == 0
    assert books.discrepancies == []


def test_a_job_settles_at_the_prices_it_was_held_at(books: Books, job_id: UUID) -> None:
    books.publish_twice_as_dear()
    assert books.settle(job_id, run("a", seconds=60))[0].vnd == 60


def test_lines_of_resources_are_charged_beside_dong(books: Books) -> None:
    books.grant({"gres/gpu": 1000, "cpu": 1000, "VND": 10_000})
    job_id = books.hold(unit={"cpu": 200, "gres/gpu": 100, "gres/gpu:h100": 100}).job_id
    used = {"cpu": 100, "gres/gpu": 50, "gres/gpu:h100": 50, "mem": 2048}
    assert books.settle(job_id, run("a", seconds=50, tres_seconds=used))[0].vnd == 600
    assert books.state("gres/gpu") == (950, 0, 50)
    assert books.state("cpu") == (900, 0, 100)
    assert books.state("VND") == (9400, 0, 600)
    assert books.discrepancies == []


def test_nothing_settles_without_a_hold(books: Books) -> None:
    with books.unchanged(), pytest.raises(HoldNotFound):
        books.settle(uuid4(), run("a", seconds=60))


def test_no_runs_change_nothing(books: Books, job_id: UUID) -> None:
    with books.unchanged():
        assert books.settle(job_id) == []


def test_a_run_key_of_another_job_is_refused(books: Books, job_id: UUID) -> None:
    other = books.hold(cpu=10).job_id
    books.settle(other, run("a", seconds=5))
    with books.unchanged(), pytest.raises(KeyReused):
        books.settle(job_id, run("b", seconds=5), run("a", seconds=5))


def test_a_used_resource_without_a_price_is_refused(books: Books, job_id: UUID) -> None:
    with books.unchanged(), pytest.raises(UnpricedResource):
        books.settle(job_id, run("a", seconds=1, tres_seconds={"license/hspice": 1}))


NONSENSE = (
    run("a", seconds=60, cpus=-1),
    run("a", seconds=-60, tres_seconds={}),
    run("", seconds=60),
    run("x" * 121, seconds=60),
    run("a", seconds=60, state=JobState.RUNNING),
    run("a", seconds=60, state=JobState.UNKNOWN),
    run("a", seconds=60, tres_seconds={"cpu": 10**18}),
    run("a", seconds=60, tres_seconds={"gpus": 1}),
)


def test_a_run_that_makes_no_sense_changes_nothing(books: Books, job_id: UUID) -> None:
    with books.unchanged():
        for nonsense in NONSENSE:
            with pytest.raises(InvalidAmount):
                books.settle(job_id, run("good", seconds=10), nonsense)


def test_released_units_go_back_to_available(books: Books, job_id: UUID) -> None:
    books.release(job_id, 2)
    assert books.state() == (900, 100, 0)
    assert hold_states(books) == {HoldState.OPEN}
    books.settle(job_id, run("a", seconds=60))
    assert books.state() == (940, 0, 60)
    assert hold_states(books) == {HoldState.SETTLED}
    assert books.discrepancies == []


def test_units_that_are_not_open_cannot_be_released(books: Books, job_id: UUID) -> None:
    with books.unchanged():
        for units in (0, -1, 4):
            with pytest.raises(InvalidAmount):
                books.release(job_id, units)


def test_a_closed_hold_holds_nothing_and_closes_once(books: Books, job_id: UUID) -> None:
    books.close(job_id)
    assert books.state() == (1000, 0, 0)
    assert hold_states(books) == {HoldState.RELEASED}
    with books.unchanged():
        books.close(job_id)


def test_a_hold_closed_after_runs_is_settled(books: Books, job_id: UUID) -> None:
    books.settle(job_id, run("a", seconds=60))
    books.close(job_id)
    assert books.state() == (940, 0, 60)
    assert hold_states(books) == {HoldState.SETTLED}


def test_a_job_that_never_held_cannot_be_closed(books: Books) -> None:
    with pytest.raises(HoldNotFound):
        books.close(uuid4())
