"""Grants, prices and limits: what administrators set, once each, and what makes no sense is refused."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from quotas.balance import balance
from quotas.errors import InvalidAmount, KeyReused, NoPriceList
from quotas.limits import Limit, LimitKind, LimitOwner, Owner
from quotas.pricing import PriceItem
from quotas.publish_prices import current_price_list, load_price_list, publish_price_list
from quotas.set_limit import read_limits, set_limit
from quotas.tables import AllocationState, Entry, LedgerAccount, table_of
from quotas.verify import Rule
from tests.integration.quotas.books import END, PRICES, START, Books, run


def test_a_grant_is_available_at_once(books: Books) -> None:
    books.grant({"gres/gpu:h100": 3600, "VND": 1000})
    assert books.state("gres/gpu:h100") == (3600, 0, 0)
    assert books.balances["VND"].granted == 1000
    assert books.discrepancies == []


def test_the_same_key_grants_once(books: Books) -> None:
    first = books.grant(VND=1000, key="k")
    with books.unchanged():
        assert books.grant(VND=1000, key="k") == first


def test_the_same_key_with_other_lines_is_refused(books: Books) -> None:
    books.grant(VND=1000, key="k")
    with books.unchanged():
        for lines in ({"VND": 1001}, {"VND": 1000, "cpu": 5}, {"cpu": 1000}):
            with pytest.raises(KeyReused):
                books.grant(lines, key="k")


def test_a_grant_that_makes_no_sense_changes_nothing(books: Books) -> None:
    nonsense: list[tuple[dict[str, Any], dict[str, int], datetime]] = [
        ({}, {}, END),
        ({"VND": -1}, {}, END),
        ({"VND": 10**18}, {}, END),
        ({"VND": 1.5}, {}, END),
        ({"gpus": 1}, {}, END),
        ({"VND": 1}, {"VND": -1}, END),
        ({"VND": 1}, {"cpu": 1}, END),
        ({"VND": 1}, {}, START),
        ({"VND": 1}, {}, START - timedelta(days=1)),
    ]
    with books.unchanged():
        for lines, overdraft, valid_to in nonsense:
            with pytest.raises(InvalidAmount):
                books.grant(lines, overdraft=overdraft, valid_to=valid_to)


def test_a_balance_sums_allocations_and_promises_only_what_can_be_used(books: Books) -> None:
    books.grant(VND=1000, overdraft={"VND": 50})
    suspended = books.grant(VND=300)
    books.set_allocation_state(suspended, AllocationState.SUSPENDED)
    books.grant(VND=500, valid_from=START + timedelta(days=1))
    total = books.balances["VND"]
    assert (total.available, total.promisable, total.granted) == (1300, 1050, 1300)


def test_an_ended_allocation_is_shown_while_it_holds_something(books: Books) -> None:
    books.grant(VND=1000)
    job_id = books.hold(cpu=100).job_id
    books.at = END
    assert (books.balances["VND"].held, books.balances["VND"].promisable) == (100, 0)
    books.settle(job_id, run("a", seconds=40))
    assert books.balances == {}


def test_a_balance_lists_the_allocation_that_expires_first_in_front(books: Books) -> None:
    late, soon = books.grant(VND=1), books.grant(VND=2, valid_to=END - timedelta(days=1))
    with books.engine.begin() as conn:
        allocations = balance(conn, books.project_id, START).allocations
    assert [allocation.allocation_id for allocation in allocations] == [soon, late]


def test_the_price_list_in_force_is_the_latest_that_has_begun(books: Books) -> None:
    later = START + timedelta(days=10)
    with books.engine.begin() as conn:
        new = publish_price_list(
            conn,
            [PriceItem("cpu", 1, "fast"), PriceItem("cpu", 2)],
            valid_from=later,
            actor_id=None,
            at=START,
        )
        assert current_price_list(conn, START) == load_price_list(conn, books.price_list.id)
        assert current_price_list(conn, later).version == new.version == books.price_list.version + 1
        assert set(current_price_list(conn, later).items) == set(new.items)


def test_of_two_lists_from_the_same_day_the_newer_is_in_force(books: Books) -> None:
    books.publish_twice_as_dear()
    with books.engine.begin() as conn:
        assert current_price_list(conn, START).id == books.price_list.id


def test_before_the_first_price_list_nothing_can_be_priced(books: Books) -> None:
    with books.engine.begin() as conn, pytest.raises(NoPriceList, match="must publish one"):
        current_price_list(conn, START - timedelta(seconds=1))


def test_two_prices_for_one_resource_publish_nothing(books: Books) -> None:
    with books.unchanged(), pytest.raises(InvalidAmount), books.engine.begin() as conn:
        publish_price_list(conn, [*PRICES, PRICES[0]], valid_from=START, actor_id=None, at=START)


def test_limits_are_set_replaced_read_and_removed(books: Books) -> None:
    user_id = uuid4()
    owners = [
        Owner(LimitOwner.PROJECT, books.project_id, "vlsi-lab"),
        Owner(LimitOwner.USER, user_id, "lan"),
    ]

    def set_one(value: int | None) -> list[Limit]:
        with books.engine.begin() as conn:
            set_limit(
                conn,
                owner_kind=LimitOwner.PROJECT,
                owner_id=books.project_id,
                kind=LimitKind.GPUS_RUNNING,
                value=value,
                gpu_type="h100",
                actor_id=None,
                at=START,
            )
            return read_limits(conn, owners)

    expected = Limit(LimitOwner.PROJECT, "vlsi-lab", LimitKind.GPUS_RUNNING, 8, "h100")
    assert set_one(4) != [expected]
    assert set_one(8) == [expected]
    with books.unchanged(), pytest.raises(InvalidAmount):
        set_one(-1)
    assert set_one(None) == []


def test_nobody_has_limits_when_nobody_is_asked_about(books: Books) -> None:
    with books.engine.begin() as conn:
        assert read_limits(conn, []) == []


def test_a_cached_balance_that_was_tampered_with_is_found(books: Books) -> None:
    books.grant(VND=1000)
    accounts = table_of(LedgerAccount)
    with books.engine.begin() as conn:
        conn.execute(update(accounts).where(accounts.c.kind == "held").values(balance=5))
    assert {found.rule for found in books.discrepancies} == {
        Rule.BALANCE_IS_SUM_OF_ENTRIES,
        Rule.HELD_IS_OPEN_HOLDS,
        Rule.GRANTED_IS_ALL_THERE_IS,
        Rule.ALL_IS_ZERO,
    }


def test_an_entry_from_nowhere_is_found(books: Books) -> None:
    books.grant(VND=1000)
    accounts, entries = table_of(LedgerAccount), table_of(Entry)
    with books.engine.begin() as conn:
        held = conn.execute(accounts.select().where(accounts.c.kind == "held")).one()
        conn.execute(insert(entries), {"transfer_id": 1, "account_id": held.id, "amount": 7})
    assert Rule.TRANSFER_SUMS_TO_ZERO in {found.rule for found in books.discrepancies}


@pytest.mark.parametrize("balance_below_zero", ["held", "consumed"])
def test_the_database_keeps_held_and_consumed_above_zero(books: Books, balance_below_zero: str) -> None:
    books.grant(VND=1000)
    accounts = table_of(LedgerAccount)
    with books.unchanged(), pytest.raises(IntegrityError), books.engine.begin() as conn:
        conn.execute(update(accounts).where(accounts.c.kind == balance_below_zero).values(balance=-1))
