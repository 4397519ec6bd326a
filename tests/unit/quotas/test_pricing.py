"""Prices: one rounding per line, nothing free by accident, nothing paid twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.errors import InvalidAmount, UnpricedResource
from quotas.pricing import PriceItem, PriceList, estimate, price
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import ResourceRequest

PRICES = PriceList(
    id=1,
    version=7,
    items=(
        PriceItem("cpu", 600),
        PriceItem("cpu", 900, partition="fast"),
        PriceItem("mem", 100),
        PriceItem("gres/gpu", 20_000),
        PriceItem("gres/gpu:h100", 50_000),
        PriceItem("license/vcs", 0),
    ),
)


def vnd(tres_seconds: dict[str, int], partition: str = "main") -> int:
    return price(tres_seconds, partition, PRICES).total


def test_an_hour_of_two_cpus() -> None:
    assert vnd({"cpu": 2 * 3600}) == 1200


def test_memory_is_paid_by_the_gib_hour() -> None:
    assert vnd({"mem": 4096 * 3600}) == 400


def test_a_partition_has_its_own_price_where_it_is_set() -> None:
    assert vnd({"cpu": 3600, "mem": 1024 * 3600}, partition="fast") == 900 + 100


def test_a_typed_gpu_is_paid_by_its_type_and_only_once() -> None:
    assert vnd({"gres/gpu": 2 * 3600, "gres/gpu:h100": 2 * 3600}) == 100_000


def test_an_untyped_gpu_is_paid_by_the_general_price() -> None:
    assert vnd({"gres/gpu": 3600}) == 20_000


def test_of_two_gpus_only_the_untyped_one_is_paid_by_the_general_price() -> None:
    assert vnd({"gres/gpu": 2 * 3600, "gres/gpu:h100": 3600}) == 70_000


def test_nodes_and_billing_units_cost_nothing() -> None:
    assert vnd({"node": 3600, "billing": 10**6}) == 0


def test_a_price_of_zero_is_a_price() -> None:
    assert vnd({"license/vcs": 3600}) == 0


@pytest.mark.parametrize("name", ["gres/gpu:a100", "license/hspice", "energy"])
def test_what_has_no_price_is_refused_and_named(name: str) -> None:
    with pytest.raises(UnpricedResource, match=f"Price list 7 has no price for {name} in partition main"):
        vnd({name: 1})


def test_an_unused_resource_needs_no_price() -> None:
    assert vnd({"gres/gpu:a100": 0}) == 0


def test_each_line_is_rounded_once() -> None:
    # 3 s at 600 an hour are 0.5 đồng, 18 GiB-seconds at 100 an hour are 0.5 đồng: both round up.
    lines = price({"cpu": 3, "mem": 18 * 1024}, "main", PRICES)
    assert [(line.tres, line.vnd) for line in lines.lines] == [("cpu", 1), ("mem", 1)]
    assert lines.total == 2


def test_a_negative_use_is_refused() -> None:
    with pytest.raises(InvalidAmount, match="must not be negative"):
        vnd({"cpu": -1})


USE = st.dictionaries(st.sampled_from(["cpu", "mem", "gres/gpu:h100", "node"]), st.integers(0, 10**12))


@given(used=USE, more=USE)
def test_more_use_never_costs_less(used: dict[str, int], more: dict[str, int]) -> None:
    asked = {name: used.get(name, 0) + more.get(name, 0) for name in used | more}
    assert vnd(asked) >= vnd(used)


def test_an_estimate_is_the_price_of_all_tasks_until_their_walltime() -> None:
    request = ResourceRequest(cpus_per_task=2, memory_mib_per_node=2048, gpus_per_node={"h100": 1})
    bound = estimate(request.tres, walltime_seconds=7200, tasks=10, partition="main", price_list=PRICES)
    assert bound.unit_price.total == 2 * 2 * 600 + 2 * 2 * 100 + 2 * 50_000
    assert bound.vnd == 10 * bound.unit_price.total
    assert bound.tres_seconds["cpu"] == 10 * 2 * 7200


@given(elapsed=st.lists(st.integers(0, 7200), min_size=1, max_size=20))
def test_an_estimate_bounds_what_the_tasks_can_cost(elapsed: list[int]) -> None:
    request = ResourceRequest(cpus_per_task=3, memory_mib_per_node=777, gpus_per_node={"h100": 1}).tres
    bound = estimate(request, walltime_seconds=7200, tasks=len(elapsed), partition="main", price_list=PRICES)
    charged = [vnd({name: count * seconds for name, count in request.items()}) for seconds in elapsed]
    assert sum(charged) <= bound.vnd


@pytest.mark.parametrize(("walltime", "tasks"), [(0, 1), (-1, 1), (60, 0), (60, -5)])
def test_an_estimate_of_nothing_is_refused(walltime: int, tasks: int) -> None:
    with pytest.raises(InvalidAmount, match="must be at least 1"):
        estimate({"cpu": 1}, walltime_seconds=walltime, tasks=tasks, partition="main", price_list=PRICES)


def test_one_resource_has_one_price_in_a_partition() -> None:
    with pytest.raises(InvalidAmount, match="two prices"):
        PriceList(id=1, version=1, items=(PriceItem("cpu", 1), PriceItem("cpu", 2)))


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(InvalidAmount, match="must be between 0"):
        PriceItem("cpu", -1)


def test_what_is_never_priced_takes_no_price() -> None:
    with pytest.raises(InvalidAmount, match="is not priced"):
        PriceItem("node", 1)


def test_a_price_for_something_unknown_is_refused() -> None:
    with pytest.raises(InvalidJobSpec, match="not a trackable resource"):
        PriceItem("gpus", 1)
