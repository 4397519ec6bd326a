"""The limits of an allocation's two QOS: numbers to check by hand, and what no movement may change."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc_portal.app.mirror.budgets import AllocationFacts, LowestRates, budgets_of
from quotas.balance import AssetBalance

KNOWN = frozenset(
    {"cpu", "mem", "node", "billing", "gres/gpu", "gres/gpu:h100", "gres/gpu:l40s", "license/vcs"}
)
RATES = LowestRates(
    now={"cpu": 360, "mem": 36, "gres/gpu:h100": 36_000, "gres/gpu:l40s": 18_000},
    ever={"cpu": 180, "mem": 36, "gres/gpu:h100": 36_000, "gres/gpu:l40s": 18_000},
)
ID = UUID(int=0xABC << 116)


def limits(
    by_asset: Mapping[str, AssetBalance], *, is_usable: bool = True, **facts: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """The portal's and the direct limits."""
    overdraft = facts.pop("overdraft", {})
    allocation = AllocationFacts(
        ID, "chips", is_usable=is_usable, by_asset=by_asset, overdraft=overdraft, **facts
    )
    portal, direct = budgets_of(allocation, RATES, KNOWN)
    return dict(portal.tres_minutes), dict(direct.tres_minutes)


def test_the_portal_may_use_all_and_direct_jobs_what_nobody_was_promised() -> None:
    line = AssetBalance(available=600, held=1200, consumed=1800)
    portal, direct = limits({"cpu": line, "gres/gpu": AssetBalance(available=60)})
    assert (portal["cpu"], direct["cpu"]) == (60, 10)
    assert (portal["gres/gpu"], direct["gres/gpu"]) == (1, 1)


def test_money_buys_more_of_what_is_subsidised_and_any_amount_of_what_is_free() -> None:
    allocation = AllocationFacts(
        ID, "chips", is_usable=True, by_asset={"VND": AssetBalance(available=360)}, overdraft={}
    )
    half = RATES.net(subsidy_now=5000, subsidy_ever=10_000)
    portal, direct = budgets_of(allocation, half, KNOWN)
    _, plain = budgets_of(allocation, RATES, KNOWN)
    assert (plain.tres_minutes["cpu"], direct.tres_minutes["cpu"]) == (60, 120)
    assert "cpu" not in portal.tres_minutes


def test_minutes_are_rounded_down() -> None:
    _, direct = limits({"cpu": AssetBalance(available=119)})
    assert direct["cpu"] == 1


def test_what_direct_jobs_used_is_added_since_slurm_never_forgets_it() -> None:
    _, direct = limits({"cpu": AssetBalance(available=600)}, used_directly={"cpu": 300})
    assert direct["cpu"] == 15


def test_what_is_not_paid_for_raises_the_portals_limit() -> None:
    portal, _ = limits({"cpu": AssetBalance(available=600)}, uncharged={"cpu": 120})
    assert portal["cpu"] == 12


def test_a_refund_raises_the_portals_limit_since_slurm_never_forgets_what_was_used() -> None:
    line = AssetBalance(available=600, consumed=1200)
    before, _ = limits({"cpu": line})
    after, direct = limits({"cpu": AssetBalance(available=1800)}, refunded={"cpu": 1200})
    assert (before["cpu"], after["cpu"], direct["cpu"]) == (30, 50, 30)


def test_an_overdraft_may_be_used_and_a_debt_leaves_nothing() -> None:
    _, direct = limits({"cpu": AssetBalance(available=-60)}, overdraft={"cpu": 180})
    assert direct["cpu"] == 2
    _, direct = limits({"cpu": AssetBalance(available=-600)}, used_directly={"cpu": 900})
    assert direct["cpu"] == 15


def test_in_an_ended_period_nothing_more_starts_directly() -> None:
    portal, direct = limits(
        {"cpu": AssetBalance(available=600, held=60)}, is_usable=False, used_directly={"cpu": 120}
    )
    assert (portal["cpu"], direct["cpu"]) == (11, 2)


def test_what_an_allocation_has_no_line_for_cannot_be_used() -> None:
    _, direct = limits({"cpu": AssetBalance(available=600)})
    assert direct == {
        "cpu": 10,
        "gres/gpu": 0,
        "gres/gpu:h100": 0,
        "gres/gpu:l40s": 0,
        "license/vcs": 0,
    }


def test_a_request_of_no_type_does_not_pass_the_limit_of_types_by() -> None:
    _, direct = limits({"cpu": AssetBalance(), "gres/gpu:h100": AssetBalance(available=600)})
    assert (direct["gres/gpu:h100"], direct["gres/gpu:l40s"], direct["gres/gpu"]) == (10, 0, 10)


def test_money_limits_each_resource_by_what_it_could_buy_at_the_lowest_price() -> None:
    portal, direct = limits({"VND": AssetBalance(available=36_000)})
    assert direct["gres/gpu:h100"] == 60
    assert direct["gres/gpu:l40s"] == 120
    assert direct["gres/gpu"] == 120
    assert direct["cpu"] == 6000
    assert portal["cpu"] == 12_000  # holds may have been made at the lower price of before
    assert direct["mem"] == 36_000 // 36 * 60 * 1024
    assert direct["license/vcs"] == 0  # has no price


amounts = st.integers(0, 10**9)


@given(available=amounts, used=amounts, run=amounts)
def test_a_direct_job_that_is_charged_leaves_its_limit_as_it_was(available: int, used: int, run: int) -> None:
    run = min(run, available)
    before = limits({"cpu": AssetBalance(available=available)}, used_directly={"cpu": used})
    after = limits(
        {"cpu": AssetBalance(available=available - run, consumed=run)}, used_directly={"cpu": used + run}
    )
    assert before == after


@given(available=amounts, held=amounts, part=amounts)
def test_what_the_portal_holds_is_taken_from_direct_jobs_and_stays_the_portals(
    available: int, held: int, part: int
) -> None:
    part = min(part, available)
    portal, direct = limits({"cpu": AssetBalance(available=available, held=held)})
    later_portal, later_direct = limits({"cpu": AssetBalance(available=available - part, held=held + part)})
    assert later_portal == portal
    assert later_direct["cpu"] == (available - part) // 60 <= direct["cpu"]


@pytest.mark.parametrize("asset", ["node", "billing"])
def test_what_nobody_pays_for_is_never_limited(asset: str) -> None:
    portal, direct = limits({"VND": AssetBalance(available=1), asset: AssetBalance(available=1)})
    assert asset not in portal
    assert asset not in direct
