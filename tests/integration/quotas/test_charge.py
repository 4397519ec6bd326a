"""Runs that nothing was held for are charged once, corrected by difference, and never lost in the sums."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from quotas.charge import DirectCharge, charge_run
from quotas.end_states import DEFAULT_POLICY, DEFAULT_RULES, EndRules
from quotas.errors import KeyReused, NothingCovers, UnpricedResource
from quotas.runs import RunUsage
from quotas.tables import AccountingRecord, Entry, Transfer
from quotas.verify import Rule
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, START, Books, run

JOB = UUID(int=11)


def charge(
    books: Books,
    usage: RunUsage,
    *,
    job_id: UUID = JOB,
    allocation_id: UUID | None = None,
    rules: EndRules = DEFAULT_RULES,
) -> DirectCharge:
    with books.engine.begin() as conn:
        return charge_run(
            conn,
            job_id=job_id,
            project_id=books.project_id,
            partition="main",
            run=usage,
            at=books.at,
            allocation_id=allocation_id,
            rules=rules,
        )


def test_a_run_without_a_hold_is_paid_from_what_is_available(books: Books) -> None:
    books.grant(VND=1000, cpu=500)
    paid = charge(books, run("r1", seconds=100))
    assert (paid.charge.vnd, paid.vnd_change, dict(paid.counted_change)) == (100, 100, {"cpu": 100})
    assert books.state("VND") == (900, 0, 100)
    assert books.state("cpu") == (400, 0, 100)
    assert books.discrepancies == []


def test_the_same_facts_again_change_nothing(books: Books) -> None:
    books.grant(VND=1000)
    charge(books, run("r1", seconds=100))
    with books.unchanged():
        again = charge(books, run("r1", seconds=100))
    assert (again.charge.is_new, again.charge.is_revised, again.vnd_change) == (False, False, 0)
    assert not again.counted_change


def test_new_rules_of_ends_do_not_reach_back_through_a_revision(books: Books) -> None:
    books.grant(VND=1000)
    now_paid = EndRules({**DEFAULT_POLICY, JobState.NODE_FAIL: True})
    assert charge(books, run("r1", seconds=100, state=JobState.NODE_FAIL)).charge.vnd == 0
    longer = charge(books, run("r1", seconds=101, state=JobState.NODE_FAIL), rules=now_paid)
    assert (longer.charge.is_charged, longer.vnd_change) == (False, 0)
    other_end = charge(books, run("r1", seconds=101, state=JobState.FAILED), rules=now_paid)
    assert (other_end.charge.is_charged, other_end.vnd_change) == (True, 101)
    assert books.discrepancies == []


def test_a_revised_record_posts_only_the_difference_and_edits_nothing(books: Books) -> None:
    books.grant(VND=1000, cpu=500)
    charge(books, run("r1", seconds=100))
    longer = charge(books, run("r1", seconds=130))
    assert (longer.charge.is_revised, longer.charge.vnd, longer.vnd_change) == (True, 130, 30)
    shorter = charge(books, run("r1", seconds=60))
    assert (shorter.vnd_change, dict(shorter.counted_change)) == (-70, {"cpu": -70})
    assert books.state("VND") == (940, 0, 60)
    assert books.state("cpu") == (440, 0, 60)
    assert books.count(AccountingRecord) == 3
    assert books.discrepancies == []


def test_a_run_that_turns_out_not_to_be_paid_for_is_given_back_whole(books: Books) -> None:
    books.grant(VND=1000)
    charge(books, run("r1", seconds=100))
    broken = charge(books, run("r1", seconds=100, state=JobState.NODE_FAIL))
    assert (broken.charge.is_charged, broken.vnd_change) == (False, -100)
    assert dict(broken.counted_change) == {"cpu": 0}
    assert books.state("VND") == (1000, 0, 0)
    assert books.discrepancies == []


def test_what_was_used_is_charged_even_below_zero_and_verify_says_so(books: Books) -> None:
    books.grant(VND=50)
    charge(books, run("r1", seconds=80))
    assert books.state("VND") == (-30, 0, 80)
    assert [found.rule for found in books.discrepancies] == [Rule.WITHIN_OVERDRAFT]


def test_the_allocation_that_the_cluster_counted_pays_if_it_can(books: Books) -> None:
    first = books.grant(VND=1000, valid_to=END - timedelta(days=1))
    second = books.grant(VND=1000)
    assert charge(books, run("r1", seconds=1)).allocation_id == first
    assert charge(books, run("r2", seconds=1), allocation_id=second).allocation_id == second
    assert charge(books, run("r3", seconds=1), allocation_id=uuid4()).allocation_id == first


def test_the_allocation_that_expires_first_pays_while_it_has_enough_else_the_last(books: Books) -> None:
    small = books.grant(VND=50, valid_to=END - timedelta(days=1))
    large = books.grant(VND=100)
    assert charge(books, run("r1", seconds=50)).allocation_id == small
    assert charge(books, run("r2", seconds=50)).allocation_id == large
    assert charge(books, run("r3", seconds=500)).allocation_id == large


def test_an_expired_period_still_pays_for_what_started_in_it(books: Books) -> None:
    old = books.grant(VND=1000, valid_to=START + timedelta(days=1))
    books.at = END
    assert charge(books, run("r1", seconds=10)).allocation_id == old


@pytest.mark.parametrize("lines", [{}, {"gres/gpu": 100}])
def test_what_no_allocation_covers_is_refused_and_changes_nothing(
    books: Books, lines: dict[str, int]
) -> None:
    if lines:
        books.grant(lines)
    with books.unchanged(), pytest.raises(NothingCovers, match="vlsi-lab"):
        charge(books, run("r1", seconds=10))


def test_what_has_no_price_is_refused_and_never_free(books: Books) -> None:
    books.grant(VND=1000)
    with books.unchanged(), pytest.raises(UnpricedResource):
        charge(books, run("r1", seconds=10, tres_seconds={"license/primetime": 10}))


def test_a_run_of_another_job_is_never_taken_for_this_ones(books: Books) -> None:
    books.grant(VND=1000)
    charge(books, run("r1", seconds=10))
    with pytest.raises(KeyReused):
        charge(books, run("r1", seconds=10), job_id=uuid4())


def test_a_run_that_never_started_costs_nothing_and_moves_nothing(books: Books) -> None:
    books.grant(VND=1000)
    charge(books, run("r1", started=False, state=JobState.CANCELLED))
    assert books.state("VND") == (1000, 0, 0)
    assert (books.count(Transfer), books.count(Entry)) == (1, 2)
