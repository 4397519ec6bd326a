"""Grants that stand: more, less, longer, suspended, closed, split, carried over; never more than there is."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from quotas.allocation_tables import AllocationEvent
from quotas.errors import (
    AllocationNotFound,
    AllocationStateRefused,
    AllocationStopped,
    BudgetExceeded,
    InvalidAmount,
    KeyReused,
    NotEnoughFree,
)
from quotas.tables import Transfer
from tests.integration.quotas.books import END, START, Books, insert_project, run
from tests.integration.quotas.steward import Steward

LATER = END + timedelta(days=1)


@pytest.fixture
def steward(books: Books) -> Steward:
    return Steward(books)


@pytest.fixture
def allocation(books: Books) -> UUID:
    """1,000 đồng and 500 CPU-seconds."""
    return books.grant(VND=1000, cpu=500)


def test_an_increase_adds_to_what_is_available(books: Books, steward: Steward, allocation: UUID) -> None:
    assert steward.increase(allocation, VND=200, key="a")
    with books.unchanged():
        assert not steward.increase(allocation, VND=200, key="a")
    assert steward.of(allocation) == (1200, 0, 0, 0)
    assert books.discrepancies == []


def test_an_increase_opens_no_line_since_jobs_may_have_used_what_it_would_count(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    licences: dict[str, Any] = {"license/vcs": 50}
    with books.unchanged(), pytest.raises(InvalidAmount, match="grant a new one"):
        steward.increase(allocation, **licences)


def test_a_reduction_takes_back_only_what_is_free(books: Books, steward: Steward, allocation: UUID) -> None:
    books.hold(cpu=100)
    with books.unchanged(), pytest.raises(NotEnoughFree) as refused:
        steward.reduce(allocation, VND=901)
    assert (refused.value.available, refused.value.needed) == (900, 901)
    assert "has 900 ₫ free" in str(refused.value)
    assert steward.reduce(allocation, VND=900, key="a")
    with books.unchanged():
        assert not steward.reduce(allocation, VND=900, key="a")
    assert steward.of(allocation) == (0, 100, 0, 0)
    assert books.discrepancies == []


def test_an_overdraft_is_no_budget_to_be_taken_back(books: Books, steward: Steward) -> None:
    allocation = books.grant(VND=100, overdraft={"VND": 50})
    with books.unchanged(), pytest.raises(NotEnoughFree):
        steward.reduce(allocation, VND=101)


def test_a_key_is_used_for_one_deed(books: Books, steward: Steward, allocation: UUID) -> None:
    steward.increase(allocation, VND=200, key="a")
    with books.unchanged(), pytest.raises(KeyReused):
        steward.increase(allocation, VND=201, key="a")
    other = books.grant(VND=1)
    with books.unchanged(), pytest.raises(KeyReused):
        steward.increase(other, VND=200, key="a")


def test_an_extended_allocation_pays_for_longer(books: Books, steward: Steward, allocation: UUID) -> None:
    assert steward.extend(allocation, LATER)
    with books.unchanged():
        assert not steward.extend(allocation, LATER)
    with books.unchanged(), pytest.raises(InvalidAmount):
        steward.extend(allocation, END)
    assert steward.expire(END) == []
    books.at = END
    books.hold(cpu=100)
    assert books.count(AllocationEvent) == 1


def test_a_suspended_allocation_finishes_its_jobs_and_takes_no_new_one(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    job = books.hold(cpu=100).job_id
    assert steward.suspend(allocation)
    with books.unchanged():
        assert not steward.suspend(allocation)
        with pytest.raises(BudgetExceeded):
            books.hold(cpu=1)
    books.settle(job, run("a", seconds=60))
    assert steward.of(allocation) == (940, 0, 60, 0)
    assert steward.resume(allocation)
    books.hold(cpu=100)
    assert books.discrepancies == []


def test_a_closed_allocation_lets_expire_what_is_free_and_later_the_rest(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    job = books.hold(cpu=100).job_id
    assert steward.close(allocation)
    assert steward.of(allocation) == (0, 100, 0, 900)
    with books.unchanged():
        assert not steward.close(allocation)
        with pytest.raises(AllocationStateRefused):
            steward.resume(allocation)
        with pytest.raises(AllocationStateRefused):
            steward.increase(allocation, VND=1)
        with pytest.raises(AllocationStateRefused):
            steward.reduce(allocation, VND=1)
        with pytest.raises(AllocationStateRefused):
            steward.extend(allocation, LATER)
        with pytest.raises(BudgetExceeded):
            books.hold(cpu=1)
    books.settle(job, run("a", seconds=60))
    assert steward.of(allocation) == (40, 0, 60, 900)
    (freed,) = steward.expire(START)
    assert (freed.ended_now, freed.amounts) == (False, {"VND": 40, "cpu": 40})
    assert steward.of(allocation) == (0, 0, 60, 940)
    assert books.discrepancies == []


def test_only_what_is_available_expires(books: Books, steward: Steward, allocation: UUID) -> None:
    job = books.hold(cpu=100).job_id
    assert steward.expire(END - timedelta(microseconds=1)) == []
    (expired,) = steward.expire(END)
    assert (expired.ended_now, expired.amounts) == (True, {"VND": 900, "cpu": 400})
    assert steward.of(allocation) == (0, 100, 0, 900)
    with books.unchanged():
        assert steward.expire(END) == []
    books.settle(job, run("a", seconds=100))
    with books.unchanged():
        assert steward.expire(LATER) == []
    assert steward.of(allocation) == (0, 0, 100, 900)
    assert books.discrepancies == []


def test_an_overdrawn_allocation_expires_with_its_debt(books: Books, steward: Steward) -> None:
    allocation = books.grant(VND=100)
    books.settle(books.hold(cpu=100).job_id, run("a", seconds=130))
    (expired,) = steward.expire(END)
    assert (expired.ended_now, expired.amounts) == (True, {})
    assert steward.of(allocation) == (-30, 0, 130, 0)


def test_what_is_left_is_carried_over_whether_it_expired_already_or_not(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    renewed = books.grant(VND=10, cpu=0, valid_to=LATER)
    assert steward.carry(allocation, renewed, VND=100, key="early")
    assert steward.of(allocation) == (900, 0, 0, 0)
    steward.expire(END)
    with books.unchanged(), pytest.raises(NotEnoughFree):
        steward.carry(allocation, renewed, VND=901)
    assert steward.carry(allocation, renewed, key="late")
    with books.unchanged():
        assert not steward.carry(allocation, renewed, key="late")
        assert not steward.carry(allocation, renewed, VND=100, key="early")
        with pytest.raises(KeyReused):
            steward.carry(allocation, renewed, VND=99, key="early")
        with pytest.raises(AllocationStateRefused, match="Nothing is left"):
            steward.carry(allocation, renewed)
    assert steward.of(allocation) == (0, 0, 0, 0)
    assert steward.of(renewed) == (1010, 0, 0, 0)
    assert steward.of(renewed, "cpu") == (500, 0, 0, 0)
    assert books.discrepancies == []


def test_budget_is_carried_over_within_a_project_into_what_has_not_ended(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    foreign = steward.sibling().grant(VND=1)
    ended = books.grant(VND=1)
    steward.close(ended)
    money = books.grant(VND=1)
    with books.unchanged():
        for target in (foreign, allocation):
            with pytest.raises(InvalidAmount):
                steward.carry(allocation, target)
        with pytest.raises(InvalidAmount):
            steward.carry(allocation, money, cpu=5)
        with pytest.raises(AllocationStateRefused):
            steward.carry(allocation, ended)


def test_a_part_goes_to_another_project_and_what_is_left_comes_back(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    student = steward.sibling()
    term_end = END - timedelta(days=10)
    part = steward.move(allocation, student.project_id, VND=300, cpu=200, valid_to=term_end, key="a")
    with books.unchanged():
        assert part == steward.move(
            allocation, student.project_id, VND=300, cpu=200, valid_to=term_end, key="a"
        )
    assert steward.of(allocation) == (700, 0, 0, 0)
    job = student.hold(cpu=200).job_id
    with pytest.raises(BudgetExceeded):
        student.hold(cpu=101)
    assert steward.give_back(part, key="b") == {"VND": 100}
    with books.unchanged():
        assert steward.give_back(part, key="b") == {}
    assert steward.of(allocation) == (800, 0, 0, 0)
    student.settle(job, run("a", seconds=150))
    (ended,) = steward.expire(term_end)
    assert (ended.amounts, ended.returned_to) == ({"VND": 50, "cpu": 50}, allocation)
    assert steward.of(part) == (0, 0, 150, 0)
    assert steward.of(allocation) == (850, 0, 0, 0)
    assert books.discrepancies == []


def test_a_part_pays_for_nothing_new_while_what_it_was_split_from_is_suspended(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    course, student = steward.sibling(), steward.sibling()
    part = steward.move(allocation, course.project_id, VND=300, cpu=300)
    steward.move(part, student.project_id, VND=200, cpu=200)
    running = student.hold(cpu=50).job_id
    assert steward.suspend(allocation)
    with books.unchanged():
        for split_off, left in ((course, 50), (student, 10)):
            with pytest.raises(AllocationStopped, match=f"{allocation} of project vlsi-lab.* suspended"):
                split_off.hold(cpu=left)
            assert split_off.balances["VND"].promisable == 0
        with pytest.raises(BudgetExceeded):
            student.top_up(running, cpu=60)
        with pytest.raises(AllocationStateRefused):
            steward.move(part, student.project_id, VND=1)
    student.settle(running, run("a", seconds=50))
    assert steward.resume(allocation)
    steward.suspend(part)
    with pytest.raises(AllocationStopped) as refused:
        student.hold(cpu=10)
    assert (refused.value.allocation_id, refused.value.state) == (part, "suspended")
    steward.resume(part)
    student.hold(cpu=150)
    assert books.discrepancies == []


def test_who_lacks_budget_is_told_so_although_something_is_suspended_besides(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    student = steward.sibling()
    steward.move(allocation, student.project_id, VND=100, cpu=100)
    steward.suspend(allocation)
    student.grant(VND=50)
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        student.hold(cpu=101)
    assert not isinstance(refused.value, AllocationStopped)
    assert refused.value.available == 50
    student.hold(cpu=50)


def test_what_was_split_off_ends_with_its_source(books: Books, steward: Steward, allocation: UUID) -> None:
    course, student = steward.sibling(), steward.sibling()
    part = steward.move(allocation, course.project_id, VND=300, cpu=300)
    seat = steward.move(part, student.project_id, VND=200, cpu=200)
    running = student.hold(cpu=100).job_id
    steward.close(allocation)
    with books.unchanged():
        with pytest.raises(AllocationStateRefused):
            steward.give_back(part)
        with pytest.raises(AllocationStateRefused):
            steward.extend(part, END - timedelta(days=1))
        for split_off in (course, student):
            with pytest.raises(AllocationStopped, match="closed"):
                split_off.hold(cpu=1)
    ended = [[one.allocation_id for one in steward.expire(START)] for _ in range(3)]
    assert ended == [[part], [seat], []]
    assert (steward.of(part), steward.of(seat)) == ((0, 0, 0, 100), (0, 100, 0, 100))
    student.settle(running, run("a", seconds=70))
    assert [one.amounts for one in steward.expire(START)] == [{"VND": 30, "cpu": 30}]
    assert steward.of(seat) == (0, 0, 70, 130)
    assert books.discrepancies == []


def test_a_part_never_outlives_its_source(books: Books, steward: Steward, allocation: UUID) -> None:
    part = steward.move(allocation, steward.sibling().project_id, VND=300, valid_to=END - timedelta(days=9))
    assert steward.extend(part, END)
    with books.unchanged(), pytest.raises(InvalidAmount, match=f"after 2027-01-01.*{allocation}"):
        steward.extend(part, LATER)
    assert steward.extend(allocation, LATER)
    assert steward.extend(part, LATER)
    assert books.discrepancies == []


def test_a_closed_part_gives_its_rest_back(books: Books, steward: Steward, allocation: UUID) -> None:
    part = steward.move(allocation, steward.sibling().project_id, VND=300)
    steward.close(part)
    assert steward.of(allocation) == (1000, 0, 0, 0)
    assert steward.of(part) == (0, 0, 0, 0)
    assert books.discrepancies == []


def test_a_part_is_limited_in_all_that_its_source_is_limited_in(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    student = steward.sibling()
    part = steward.move(allocation, student.project_id, VND=1000)
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        student.hold(cpu=1)
    assert (refused.value.asset, refused.value.available) == ("cpu", 0)
    steward.give_more(part, cpu=100)
    student.hold(cpu=100)
    assert books.discrepancies == []


def test_what_a_part_was_granted_besides_is_its_own(books: Books, steward: Steward, allocation: UUID) -> None:
    student = steward.sibling()
    part = steward.move(allocation, student.project_id, VND=1000, cpu=500)
    steward.increase(part, VND=500, cpu=1000)
    student.settle(student.hold(cpu=1400).job_id, run("a", seconds=1400))
    assert steward.of(part) == (100, 0, 1400, 0)
    assert books.discrepancies == []


def test_a_part_gets_no_more_of_a_suspended_allocation_but_can_give_back(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    part = steward.move(allocation, steward.sibling().project_id, VND=300)
    assert steward.give_more(part, VND=100, key="a")
    steward.suspend(allocation)
    with books.unchanged():
        assert not steward.give_more(part, VND=100, key="a")
        with pytest.raises(AllocationStateRefused):
            steward.give_more(part, VND=100)
    assert steward.take_back(part, VND=50)
    assert (steward.of(part), steward.of(allocation)) == ((350, 0, 0, 0), (650, 0, 0, 0))
    assert books.discrepancies == []


def test_nothing_is_split_off_that_is_not_free_or_not_ours(
    books: Books, steward: Steward, allocation: UUID
) -> None:
    student = steward.sibling().project_id
    with books.engine.begin() as conn:
        stranger = insert_project(conn, "another-startup")
    books.hold(cpu=400)
    wrong: list[tuple[UUID, UUID, dict[str, Any], type[Exception]]] = [
        (allocation, student, {"VND": 601}, NotEnoughFree),
        (allocation, student, {"license/vcs": 1}, InvalidAmount),
        (allocation, student, {"VND": 0}, InvalidAmount),
        (allocation, student, {"VND": -1}, InvalidAmount),
        (allocation, student, {}, InvalidAmount),
        (allocation, student, {"VND": 1, "valid_to": LATER}, InvalidAmount),
        (allocation, student, {"VND": 1, "valid_to": START}, InvalidAmount),
        (allocation, stranger, {"VND": 1}, InvalidAmount),
        (allocation, uuid4(), {"VND": 1}, InvalidAmount),
        (uuid4(), student, {"VND": 1}, AllocationNotFound),
    ]
    with books.unchanged():
        for source, project, facts, error in wrong:
            with pytest.raises(error):
                steward.move(source, project, **facts)
    steward.suspend(allocation)
    with books.unchanged(), pytest.raises(AllocationStateRefused):
        steward.move(allocation, student, VND=1)


def test_amounts_that_make_no_sense_change_nothing(books: Books, steward: Steward, allocation: UUID) -> None:
    nonsense: list[dict[str, Any]] = [{}, {"VND": 0}, {"VND": -1}, {"VND": 1.5}, {"gpus": 1}, {"VND": 10**18}]
    with books.unchanged():
        for lines in nonsense:
            for verb in (steward.increase, steward.reduce):
                with pytest.raises(InvalidAmount):
                    verb(allocation, **lines)
        with pytest.raises(InvalidAmount):
            steward.reduce(allocation, **dict[str, Any]({"license/vcs": 1}))
        with pytest.raises(AllocationNotFound):
            steward.increase(uuid4(), VND=1)
        with pytest.raises(AllocationNotFound):
            steward.close(uuid4())
    assert books.count(Transfer) == 1
