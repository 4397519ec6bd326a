"""Refunds: never more than was charged, once each, and corrections take back what became too much."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from quotas.errors import InvalidAmount, RefundRefused
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, Books, run
from tests.integration.quotas.steward import Steward


@pytest.fixture
def steward(books: Books) -> Steward:
    return Steward(books)


@pytest.fixture
def job(books: Books) -> UUID:
    """A job that ended, and was charged 100 đồng and 100 CPU-seconds of 1,000 each."""
    books.grant(VND=1000, cpu=1000)
    job_id = books.hold(cpu=200).job_id
    books.settle(job_id, run("a", seconds=100))
    return job_id


def test_a_share_of_every_line_comes_back(books: Books, steward: Steward, job: UUID) -> None:
    given = steward.refund(job, 25, key="a")
    assert (given.by_asset, given.is_new) == ({"VND": 25, "cpu": 25}, True)
    assert books.state() == (925, 0, 75)
    with books.unchanged():
        assert not steward.refund(job, 25, key="a").is_new
    assert books.discrepancies == []


def test_all_refunds_together_give_back_the_charge_and_no_more(
    books: Books, steward: Steward, job: UUID
) -> None:
    steward.refund(job, 60)
    assert steward.refund(job, 60).by_asset == {"VND": 40, "cpu": 40}
    with books.unchanged(), pytest.raises(RefundRefused):
        steward.refund(job, 1)
    assert books.state() == (1000, 0, 0)
    assert books.discrepancies == []


def test_an_amount_of_one_line_comes_back(books: Books, steward: Steward, job: UUID) -> None:
    assert steward.refund(job, VND=30).by_asset == {"VND": 30}
    with books.unchanged(), pytest.raises(RefundRefused) as refused:
        steward.refund(job, VND=71)
    assert (refused.value.left, refused.value.asked) == (70, 71)
    assert books.state() == (930, 0, 70)
    assert books.state("cpu") == (900, 0, 100)
    assert books.discrepancies == []


def test_what_was_not_charged_is_not_refunded(books: Books, steward: Steward) -> None:
    books.grant(VND=1000)
    job = books.hold(cpu=100).job_id
    books.settle(job, run("a", seconds=50, state=JobState.NODE_FAIL))
    with books.unchanged():
        for unknown in (job, uuid4()):
            with pytest.raises(RefundRefused):
                steward.refund(unknown, 100)


def test_a_correction_takes_back_what_was_refunded_too_much(
    books: Books, steward: Steward, job: UUID
) -> None:
    steward.refund(job, 80)
    steward.correct(job, run("a", seconds=60))
    assert books.state() == (1000, 0, 0)
    assert books.discrepancies == []
    steward.correct(job, run("a", seconds=100))
    assert books.state() == (960, 0, 40)
    assert books.discrepancies == []
    assert steward.refund(job, 100).by_asset == {"VND": 40, "cpu": 40}
    assert books.discrepancies == []


def test_a_correction_within_the_refund_leaves_it(books: Books, steward: Steward, job: UUID) -> None:
    steward.refund(job, 50)
    steward.correct(job, run("a", seconds=70))
    assert books.state() == (980, 0, 20)
    assert books.discrepancies == []


def test_what_comes_back_to_an_ended_allocation_expires(books: Books, steward: Steward, job: UUID) -> None:
    steward.expire(END)
    steward.refund(job, 100)
    (freed,) = steward.expire(END)
    assert freed.amounts == {"VND": 100, "cpu": 100}
    assert books.discrepancies == []


def test_refunds_that_make_no_sense_change_nothing(books: Books, steward: Steward, job: UUID) -> None:
    nonsense: list[dict[str, Any]] = [
        {},
        {"percent": 0},
        {"percent": 101},
        {"percent": -5},
        {"percent": 10, "VND": 5},
        {"VND": -1},
        {"VND": 0},
    ]
    with books.unchanged():
        for wrong in nonsense:
            with pytest.raises(InvalidAmount):
                steward.refund(job, **wrong)
