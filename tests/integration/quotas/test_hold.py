"""Holds: nobody promises what is not there, and a refusal says what to do and changes nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from quotas.errors import BudgetExceeded, InvalidAmount, KeyReused, UnpricedResource
from quotas.hold import Held, shortfall
from quotas.hold_tables import HoldState, QuotaHold
from quotas.tables import AllocationState, Transfer, table_of
from tests.integration.quotas.books import END, START, Books


def test_a_hold_moves_budget_from_available_to_held(books: Books) -> None:
    books.grant(VND=1000)
    held = books.hold(cpu=100, units=3)
    assert (held.vnd_total, held.by_asset) == (300, {"VND": 300})
    assert books.state() == (700, 300, 0)
    assert books.discrepancies == []


def test_a_hold_touches_every_line_of_the_allocation(books: Books) -> None:
    books.grant(VND=10_000, cpu=500, mem=10**6)
    held = books.hold(unit={"cpu": 100, "mem": 2048, "node": 50})
    assert held.by_asset == {"VND": 100, "cpu": 100, "mem": 2048}
    assert books.state("cpu") == (400, 100, 0)
    assert books.state("mem") == (10**6 - 2048, 2048, 0)


def test_the_last_dong_can_be_held_and_not_one_more(books: Books) -> None:
    books.grant(VND=100)
    books.hold(cpu=100)
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.hold(cpu=1)
    assert (refused.value.asset, refused.value.available, refused.value.needed) == ("VND", 0, 1)


def test_a_refusal_says_what_is_left_and_what_to_do(books: Books) -> None:
    books.grant({"gres/gpu": 40 * 3600, "VND": 10**9})
    with pytest.raises(BudgetExceeded) as refused:
        books.hold(unit={"gres/gpu": 96 * 3600})
    assert str(refused.value) == (
        "Project vlsi-lab has 40 GPU-hours left; this job needs 96 GPU-hours. "
        "Shorten the walltime or request more quota."
    )


def test_a_refusal_names_all_that_is_short_the_scarcest_first(books: Books) -> None:
    books.grant({"gres/gpu": 40 * 3600, "license/vcs": 3600, "cpu": 10**9, "VND": 10**9})
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.hold(unit={"gres/gpu": 96 * 3600, "license/vcs": 4 * 3600, "cpu": 96 * 3600})
    assert refused.value.asset == "license/vcs"
    assert refused.value.missing == {"license/vcs": 3 * 3600, "gres/gpu": 56 * 3600}
    assert "It also lacks 56 GPU-hours." in str(refused.value)


def test_where_nothing_covers_a_resource_another_allocation_must_give_all(books: Books) -> None:
    books.grant({"cpu": 10**9})
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.hold(unit={"gres/gpu": 7200, "gres/gpu:h100": 7200, "cpu": 3600, "mem": 4096})
    assert refused.value.missing == {"gres/gpu:h100": 7200, "cpu": 3600}


def test_when_the_second_line_is_short_the_first_is_untouched(books: Books) -> None:
    books.grant(VND=1000, cpu=50)
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.hold(cpu=51)
    assert (refused.value.asset, refused.value.available) == ("cpu", 50)


def test_an_overdraft_can_be_held_to_its_end(books: Books) -> None:
    books.grant(VND=100, overdraft={"VND": 50})
    books.hold(cpu=150)
    assert books.state() == (-50, 150, 0)
    with pytest.raises(BudgetExceeded):
        books.hold(cpu=1)
    assert books.discrepancies == []


def test_a_project_without_budget_is_told_so(books: Books) -> None:
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.hold(cpu=100)
    assert (refused.value.asset, refused.value.available, refused.value.needed) == ("cpu", 0, 100)


def test_a_resource_with_neither_a_line_nor_dong_is_refused(books: Books) -> None:
    books.grant(cpu=10_000)
    with books.unchanged(), pytest.raises(BudgetExceeded) as refused:
        books.hold(unit={"cpu": 10, "gres/gpu": 10, "gres/gpu:h100": 10})
    assert (refused.value.asset, refused.value.available) == ("gres/gpu:h100", 0)


def test_a_line_for_all_gpus_covers_every_type(books: Books) -> None:
    books.grant({"cpu": 100, "gres/gpu": 100})
    books.hold(unit={"cpu": 10, "gres/gpu": 20, "gres/gpu:h100": 20})
    assert books.state("gres/gpu") == (80, 20, 0)


def test_lines_for_its_types_cover_a_typed_gpu(books: Books) -> None:
    books.grant({"cpu": 100, "gres/gpu:h100": 100})
    books.hold(unit={"cpu": 10, "gres/gpu": 20, "gres/gpu:h100": 20})
    with pytest.raises(BudgetExceeded) as refused:
        books.hold(unit={"cpu": 10, "gres/gpu": 20})
    assert refused.value.asset == "gres/gpu"


def test_memory_needs_no_line_of_its_own(books: Books) -> None:
    books.grant(cpu=100)
    assert books.hold(unit={"cpu": 10, "mem": 10**6, "node": 10}).by_asset == {"cpu": 10}


def test_the_allocation_that_expires_first_is_used_first(books: Books) -> None:
    books.grant(VND=1000, valid_to=END)
    soon = books.grant(VND=100, valid_to=END - timedelta(days=1))
    assert books.hold(cpu=60).allocation_id == soon


def test_a_hold_that_does_not_fit_the_first_allocation_uses_the_next(books: Books) -> None:
    late = books.grant(VND=1000)
    books.grant(VND=100, valid_to=END - timedelta(days=1))
    assert books.hold(cpu=101).allocation_id == late


def test_a_refusal_is_about_the_allocation_that_comes_closest(books: Books) -> None:
    books.grant(VND=1000)
    books.grant(VND=100, valid_to=END - timedelta(days=1))
    with pytest.raises(BudgetExceeded) as refused:
        books.hold(cpu=1001)
    assert refused.value.available == 1000


@pytest.mark.parametrize("days", [-1, 61])
def test_an_allocation_pays_only_inside_its_period(books: Books, days: int) -> None:
    books.grant(VND=1000)
    books.at = START + timedelta(days=days)
    with pytest.raises(BudgetExceeded):
        books.hold(cpu=1)


def test_a_period_is_half_open(books: Books) -> None:
    books.grant(VND=1000)
    books.at = END
    with pytest.raises(BudgetExceeded):
        books.hold(cpu=1)
    books.at = END - timedelta(microseconds=1)
    books.hold(cpu=1)


def test_only_an_active_allocation_pays(books: Books) -> None:
    allocation_id = books.grant(VND=1000)
    for state in set(AllocationState) - {AllocationState.ACTIVE}:
        books.set_allocation_state(allocation_id, state)
        with pytest.raises(BudgetExceeded):
            books.hold(cpu=1)


def test_the_same_job_is_held_once(books: Books) -> None:
    books.grant(VND=150)
    job_id = uuid4()
    first = books.hold(job_id, cpu=100)
    with books.unchanged():
        assert books.hold(job_id, cpu=100) == first


def test_the_same_job_with_another_size_is_refused(books: Books) -> None:
    books.grant(VND=1000)
    job_id = uuid4()
    books.hold(job_id, cpu=100)
    with books.unchanged(), pytest.raises(KeyReused):
        books.hold(job_id, cpu=100, units=2)


def test_a_free_job_is_held_too(books: Books) -> None:
    books.grant(VND=0)
    held = books.hold(unit={"cpu": 0, "mem": 100})
    assert held.by_asset == {"VND": 0}
    assert books.count(QuotaHold) == 1


def test_a_hold_that_makes_no_sense_changes_nothing(books: Books) -> None:
    books.grant(VND=1000)
    nonsense: list[tuple[dict[str, Any], int]] = [
        ({"cpu": -1}, 1),
        ({"cpu": 1}, 0),
        ({"cpu": 1}, -1),
        ({"cpu": 1}, 10**6 + 1),
        ({"cpu": 10**17 + 1}, 1),
        ({"cpu": 1.5}, 1),
        ({"gpus": 1}, 1),
        ({"VND": 1}, 1),
    ]
    with books.unchanged():
        for unit, units in nonsense:
            with pytest.raises(InvalidAmount):
                books.hold(unit=unit, units=units)


def test_a_huge_hold_is_refused_like_any_other(books: Books) -> None:
    books.grant(VND=1000, cpu=10)
    with books.unchanged(), pytest.raises(BudgetExceeded):
        books.hold(cpu=10**17, units=10**6)


def test_a_resource_without_a_price_is_not_free(books: Books) -> None:
    books.grant(VND=1000)
    with books.unchanged(), pytest.raises(UnpricedResource):
        books.hold(unit={"cpu": 1, "license/hspice": 1})


def test_a_new_hold_is_open_and_lacks_nothing(books: Books) -> None:
    books.grant(VND=1000)
    held = books.hold(cpu=1, units=5)
    with books.engine.begin() as conn:
        assert shortfall(conn, held.job_id) == {}
        row = conn.execute(table_of(QuotaHold).select()).one()
    assert (row.state, row.units_total, row.units_open, row.open_amount) == (HoldState.OPEN, 5, 5, 5)


def test_a_hold_is_one_transfer_of_two_entries_for_each_asset(books: Books) -> None:
    books.grant(VND=1000, cpu=1000)
    held = books.hold(cpu=10)
    with books.engine.begin() as conn:
        transfers = conn.execute(
            table_of(Transfer).select().where(table_of(Transfer).c.job_id == held.job_id)
        ).all()
    assert [transfer.idempotency_key for transfer in transfers] == [f"hold:{held.job_id}"]


def test_jobs_held_together_take_from_what_those_before_them_left(books: Books) -> None:
    late = books.grant(VND=150)
    soon = books.grant(VND=250, valid_to=END - timedelta(days=1))
    first, second, big, third, unpriced = books.hold_together(
        {"cpu": 200}, {"cpu": 100}, {"cpu": 300}, {"cpu": 50}, {"license/hspice": 1}
    )
    assert [held.allocation_id for held in (first, second, third) if isinstance(held, Held)] == [
        soon,
        late,
        soon,
    ]
    assert isinstance(big, BudgetExceeded)
    assert (big.available, big.needed) == (50, 300)
    assert isinstance(unpriced, UnpricedResource)
    assert books.state() == (50, 350, 0)
    assert books.count(Transfer) == 2 + 3
    assert books.discrepancies == []


def test_jobs_held_together_again_are_held_once(books: Books) -> None:
    books.grant(VND=1000)
    jobs = [uuid4(), uuid4()]
    before = books.hold_together({"cpu": 100}, {"cpu": 200}, jobs=jobs)
    with books.unchanged():
        assert books.hold_together({"cpu": 100}, {"cpu": 200}, jobs=jobs) == before
    new = uuid4()
    again, mixed, other = books.hold_together(
        {"cpu": 100}, {"cpu": 5}, {"cpu": 200}, jobs=[jobs[0], new, jobs[1]]
    )
    assert [again, other] == before
    assert isinstance(mixed, Held)
    twice = uuid4()
    one, two = books.hold_together({"cpu": 7}, {"cpu": 7}, jobs=[twice, twice])
    assert one == two
    assert books.state() == (1000 - 312, 312, 0)
    assert books.discrepancies == []


def test_holding_nothing_together_changes_nothing(books: Books) -> None:
    with books.unchanged():
        assert books.hold_together() == []
