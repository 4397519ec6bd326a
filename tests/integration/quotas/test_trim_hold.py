"""A hold that becomes smaller gives back exactly what the job can no longer cost."""

from uuid import uuid4

import pytest

from quotas.errors import HoldNotFound
from quotas.hold import shortfall
from tests.integration.quotas.books import Books, run


def test_what_a_smaller_unit_does_not_need_is_available_again(books: Books) -> None:
    books.grant(VND=1000, cpu=1000)
    held = books.hold(cpu=100, units=3)
    assert books.trim(held.job_id, cpu=60) == {"VND": 120, "cpu": 120}
    assert books.state() == (820, 180, 0)
    assert books.state("cpu") == (820, 180, 0)
    assert books.discrepancies == []


def test_trimming_twice_frees_nothing_more_and_a_hold_never_grows(books: Books) -> None:
    books.grant(VND=1000)
    held = books.hold(cpu=100)
    books.trim(held.job_id, cpu=60)
    assert books.trim(held.job_id, cpu=60) == {}
    assert books.trim(held.job_id, cpu=900) == {}
    assert books.state() == (940, 60, 0)
    assert books.discrepancies == []


def test_trimmed_grown_and_trimmed_again_keeps_the_journal_exact(books: Books) -> None:
    books.grant(VND=1000)
    held = books.hold(cpu=100)
    for size in (50, 200, 70, 300, 10):
        books.trim(held.job_id, cpu=size)
        books.top_up(held.job_id, cpu=size)
        assert books.state()[1] == size
    assert books.discrepancies == []


def test_a_hold_that_is_short_stays_no_larger_than_its_trimmed_unit(books: Books) -> None:
    books.grant(VND=150)
    held = books.hold(cpu=150)
    books.settle(held.job_id, run("k", seconds=100, closes_unit=False))
    assert shortfall_of(books, held.job_id) == {"VND": 100}
    books.trim(held.job_id, cpu=40)
    assert books.state() == (10, 40, 100)
    assert shortfall_of(books, held.job_id) == {}
    assert books.discrepancies == []


def test_a_closed_hold_has_nothing_to_give(books: Books) -> None:
    books.grant(VND=1000)
    held = books.hold(cpu=100)
    books.close(held.job_id)
    assert books.trim(held.job_id, cpu=10) == {}
    assert books.state() == (1000, 0, 0)


def test_nothing_is_trimmed_where_nothing_was_held(books: Books) -> None:
    with pytest.raises(HoldNotFound):
        books.trim(uuid4(), cpu=1)


def shortfall_of(books: Books, job_id: object) -> dict[str, int]:
    with books.engine.begin() as conn:
        return shortfall(conn, job_id)  # type: ignore[arg-type]
