"""What makes no sense is refused in words by every verb of administrators, and changes nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from quotas.end_states import set_end_rule
from quotas.errors import (
    AllocationNotFound,
    InvalidAmount,
    KeyReused,
    NotEnoughFree,
    QuotaError,
    RefundRefused,
)
from quotas.limits import LimitKind, LimitOwner
from quotas.pricing import PriceItem
from quotas.publish_prices import publish_price_list
from quotas.set_limit import set_limit
from quotas.set_subsidy import end_subsidy_rule, make_subsidy_rule
from schedulers.errors import InvalidJobSpec
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, PRICES, START, USER, Books, run
from tests.integration.quotas.steward import Steward

NEVER_AMOUNTS: list[Any] = [-1, -(10**30), 10**17 + 1, 10**30, 2**63, 1.5, True, "5", None]
"""Negative, huge, no whole number."""
NEVER_ASSETS = ["gold", "", "GRES/GPU", "gres/gpu:", "vnd", "license/", "node" * 40, "cpu\0"]
NEVER_INSTANTS = [
    datetime(2026, 12, 1),  # noqa: DTZ001 - without a time zone is what is tried
    datetime(9999, 12, 31, 23, tzinfo=UTC),
    datetime(2200, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
]

Verb = Callable[..., object]


@pytest.fixture
def steward(books: Books) -> Steward:
    return Steward(books)


@pytest.fixture
def whole(books: Books) -> UUID:
    """Of which a part was split off, and a job was charged 100."""
    return books.grant(VND=1000, cpu=1000)


@pytest.fixture
def part(steward: Steward, whole: UUID) -> UUID:
    return steward.move(whole, steward.sibling().project_id, VND=300, cpu=300)


@pytest.fixture
def job(books: Books, whole: UUID) -> UUID:
    job_id = books.hold(cpu=100).job_id
    assert whole
    books.settle(job_id, run("a", seconds=100))
    return job_id


Errors = type[Exception] | tuple[type[Exception], ...]


def refuses(verb: Verb, error: Errors = InvalidAmount, **facts: Any) -> None:  # noqa: ANN401 - what is tried
    """With a sentence; whoever calls it looks whether anything was changed."""
    with pytest.raises(error) as refused:
        verb(**facts)
    assert str(refused.value)


def of_lines(amount: object, asset: str = "VND") -> dict[str, Any]:
    return {asset: amount}


def test_amounts_that_make_no_sense(
    books: Books, steward: Steward, whole: UUID, part: UUID, job: UUID
) -> None:
    renewed, student = books.grant(VND=1), steward.sibling().project_id
    verbs: dict[str, Verb] = {
        "increase": partial(steward.increase, whole),
        "reduce": partial(steward.reduce, whole),
        "split": partial(steward.move, whole, student),
        "give more": partial(steward.give_more, part),
        "take back": partial(steward.take_back, part),
        "carry over": partial(steward.carry, whole, renewed),
        "refund": partial(steward.refund, job),
    }
    with books.unchanged():
        for verb in verbs.values():
            for amount in [0, *NEVER_AMOUNTS]:
                refuses(verb, **of_lines(amount))
            for asset in NEVER_ASSETS:
                refuses(verb, (InvalidAmount, RefundRefused), **of_lines(1, asset))
            # Whole, above zero, and more than there is; more can always be granted, but not counted for ever.
            if verb is not verbs["increase"]:
                refuses(verb, (NotEnoughFree, RefundRefused), VND=10**17)
        for amount in NEVER_AMOUNTS:  # nothing of one line among others is a grant, and a limit
            refuses(books.grant, lines=of_lines(amount))
            refuses(books.grant, lines=of_lines(1), overdraft=of_lines(amount))
        for asset in NEVER_ASSETS:
            refuses(books.grant, lines=of_lines(1, asset))
            refuses(books.grant, lines=of_lines(1), overdraft=of_lines(1, asset))
        for percent in [0, 101, *NEVER_AMOUNTS[:-1]]:
            refuses(steward.refund, job_id=job, percent=percent)


def test_sums_that_cannot_be_counted(books: Books, steward: Steward, whole: UUID) -> None:
    for _ in range(39):
        assert steward.increase(whole, cpu=10**17)
    with books.unchanged():
        refuses(partial(steward.increase, whole), cpu=10**17)
        refuses(books.grant, cpu=10**17)
    assert books.discrepancies == []


def test_instants_and_periods_that_make_no_sense(
    books: Books, steward: Steward, whole: UUID, part: UUID
) -> None:
    student = steward.sibling().project_id
    with books.unchanged():
        for instant in NEVER_INSTANTS:
            refuses(books.grant, VND=1, valid_to=instant)
            refuses(books.grant, VND=1, valid_from=instant)
            refuses(steward.extend, allocation_id=whole, valid_to=instant)
            refuses(partial(steward.move, whole, student), VND=1, valid_to=instant)
            refuses(publish(books), valid_from=instant)
            refuses(subsidise(books), basis_points=1, valid_from=instant)
            refuses(subsidise(books), basis_points=1, valid_to=instant)
        for begin, end in ((START, START), (END, START)):
            refuses(books.grant, VND=1, valid_from=begin, valid_to=end)
            refuses(subsidise(books), basis_points=1, valid_from=begin, valid_to=end)
        refuses(steward.extend, allocation_id=whole, valid_to=END - timedelta(seconds=1))
        refuses(steward.extend, allocation_id=part, valid_to=END + timedelta(seconds=1))
        refuses(partial(steward.move, whole, student), VND=1, valid_to=END + timedelta(seconds=1))
        refuses(partial(steward.move, whole, student), VND=1, valid_to=START)


def test_periods_that_overlap_are_used_the_one_that_ends_first_in_front(books: Books) -> None:
    later, sooner = books.grant(VND=100), books.grant(VND=100, valid_to=END - timedelta(days=1))
    paid_by = [books.hold(cpu=60).allocation_id for _ in range(2)]
    assert paid_by == [sooner, later]
    assert books.discrepancies == []


def test_prices_subsidies_limits_and_rules_that_make_no_sense(books: Books) -> None:
    with books.unchanged():
        for rate in NEVER_AMOUNTS:
            refuses(partial(PriceItem, "cpu"), rate_vnd_per_hour=rate)
        for asset in [*NEVER_ASSETS, "VND", "node", "billing"]:
            refuses(PriceItem, (InvalidAmount, InvalidJobSpec), tres=asset, rate_vnd_per_hour=1)
        refuses(publish(books), items=[*PRICES, PRICES[0]])
        for amount in NEVER_AMOUNTS:
            refuses(subsidise(books), basis_points=amount)
            if amount is not None:  # none: no cap, and no limit
                refuses(subsidise(books), basis_points=1, cap_vnd=amount)
                refuses(limit(books), value=amount)
                refuses(rule(books), free_seconds_per_job=amount)
        for amount in (10_001, 2**31):
            refuses(subsidise(books), basis_points=amount)
        refuses(limit(books), value=2**31)
        refuses(limit(books), value=1, gpu_type="no such, type")
        refuses(limit(books), value=1, gpu_type="h100", kind=LimitKind.JOBS_RUNNING)


def test_what_is_not_there_or_was_done_otherwise(
    books: Books, steward: Steward, whole: UUID, part: UUID
) -> None:
    strange = uuid4()
    refused: list[tuple[Verb, type[QuotaError]]] = [
        (partial(steward.increase, strange, VND=1), AllocationNotFound),
        (partial(steward.reduce, strange, VND=1), AllocationNotFound),
        (partial(steward.extend, strange, END), AllocationNotFound),
        (partial(steward.suspend, strange), AllocationNotFound),
        (partial(steward.resume, strange), AllocationNotFound),
        (partial(steward.close, strange), AllocationNotFound),
        (partial(steward.give_back, strange), AllocationNotFound),
        (partial(steward.give_back, whole), InvalidAmount),
        (partial(steward.give_more, whole, VND=1), InvalidAmount),
        (partial(steward.carry, whole, strange), AllocationNotFound),
        (partial(steward.carry, whole, whole), InvalidAmount),
        (partial(steward.carry, whole, part), InvalidAmount),
        (partial(steward.refund, strange, 100), RefundRefused),
    ]
    with books.unchanged():
        for verb, error in refused:
            refuses(verb, error)
    books.grant(VND=1, key="k")
    steward.increase(whole, VND=1, key="k")
    with books.unchanged():
        refuses(books.grant, KeyReused, VND=2, key="k")
        refuses(partial(steward.increase, whole), KeyReused, VND=2, key="k")


def publish(books: Books) -> Verb:
    def verb(**facts: Any) -> object:  # noqa: ANN401 - what is tried
        with books.engine.begin() as conn:
            values = {"items": PRICES, "valid_from": START, "actor_id": USER, "at": START, **facts}
            return publish_price_list(conn, **values)

    return verb


def subsidise(books: Books) -> Verb:
    def verb(**facts: Any) -> object:  # noqa: ANN401 - what is tried
        with books.engine.begin() as conn:
            values = {"valid_from": START, "reason": "a test", "actor_id": USER, "at": START, **facts}
            return make_subsidy_rule(conn, **values)

    return verb


def limit(books: Books) -> Verb:
    def verb(**facts: Any) -> object:  # noqa: ANN401 - what is tried
        with books.engine.begin() as conn:
            owner = {"owner_kind": LimitOwner.PROJECT, "owner_id": books.project_id}
            return set_limit(
                conn, **{"kind": LimitKind.GPUS_RUNNING, "actor_id": USER, "at": START, **owner, **facts}
            )

    return verb


def rule(books: Books) -> Verb:
    def verb(**facts: Any) -> None:  # noqa: ANN401 - what is tried
        with books.engine.begin() as conn:
            said: dict[str, Any] = {"set_by": USER, "reason": "a test", "at": START, **facts}
            set_end_rule(conn, state=JobState.NODE_FAIL, is_charged=True, **said)

    return verb


def test_a_subsidy_never_ends_in_the_past(books: Books) -> None:
    with books.engine.begin() as conn:
        facts: dict[str, Any] = {"reason": "a test", "actor_id": USER, "at": START}
        made = make_subsidy_rule(conn, basis_points=1, valid_from=START, **facts)
    with books.unchanged():
        for instant in [START - timedelta(seconds=1), *NEVER_INSTANTS]:
            with pytest.raises(InvalidAmount), books.engine.begin() as conn:
                end_subsidy_rule(conn, rule_id=made, valid_to=instant, actor_id=USER, at=START)
