"""What can still be promised, on numbers that can be checked by hand."""

from datetime import UTC, datetime, timedelta

from hpc_portal.app.requests.promisable import Outstanding, Promisable, count_assets, promisable
from quotas.pricing import PriceItem, PriceList
from schedulers.cluster import ClusterSnapshot, License, Node, NodeState, Partition

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECONDS = 86_400
H100 = "gres/gpu:h100"

CLUSTER = ClusterSnapshot(
    "danang",
    NOW,
    (Partition("main", ("n1", "n2"), 86_400, 3600, is_default=True),),
    (
        Node("n1", NodeState.UP, cpus=64, memory_mib=1024, gpus={"h100": 8}),
        Node("n2", NodeState.DOWN, cpus=64, memory_mib=1024, gpus={"a100": 4}),
    ),
    (License("vcs", 10),),
)


def find(
    *outstanding: Outstanding, begin: datetime = NOW, days: int = 10, prices: PriceList | None = None
) -> dict[str, Promisable]:
    return promisable(
        clusters=[CLUSTER],
        outstanding=outstanding,
        price_list=prices,
        valid_from=begin,
        valid_to=begin + days * DAY,
        now=NOW,
        availability_percent=50,
    )


def test_capacity_is_what_there_is_times_the_period_times_the_share() -> None:
    found = find()
    assert found[H100] == Promisable(H100, 8 * 10 * SECONDS // 2, 0)
    assert found["gres/gpu"].capacity == 12 * 10 * SECONDS // 2
    assert found["cpu"].capacity == 128 * 10 * SECONDS // 2
    assert found["license/vcs"].capacity == 10 * 10 * SECONDS // 2
    assert "VND" not in found, "nothing is priced"


def test_nodes_that_are_down_count_for_they_come_back() -> None:
    assert count_assets([CLUSTER, CLUSTER])["gres/gpu:a100"] == 8


def test_what_is_past_of_a_period_gives_nothing_any_more() -> None:
    assert find(begin=NOW - 5 * DAY)[H100].capacity == 8 * 5 * SECONDS // 2
    assert find(begin=NOW - 20 * DAY)[H100].capacity == 0


def test_what_others_have_left_is_spread_until_its_own_end() -> None:
    half_inside = Outstanding(H100, NOW - 10 * DAY, NOW + 20 * DAY, 1000)
    assert find(half_inside)[H100].promised == 500
    assert find(Outstanding(H100, NOW, NOW + 3 * DAY, 1000))[H100].promised == 1000
    assert find(Outstanding(H100, NOW + 10 * DAY, NOW + 20 * DAY, 1000))[H100].promised == 0
    assert find(Outstanding(H100, NOW, NOW + 30 * DAY, 100))[H100].promised == 34, "rounded up"


def test_a_gpu_of_a_type_is_also_a_gpu() -> None:
    found = find(Outstanding(H100, NOW, NOW + DAY, 7), Outstanding("gres/gpu", NOW, NOW + DAY, 5))
    assert (found[H100].promised, found["gres/gpu"].promised) == (7, 12)


def test_more_may_be_promised_than_there_is() -> None:
    assert find(Outstanding(H100, NOW, NOW + DAY, 10**9))[H100].left < 0


def test_money_is_what_the_capacity_is_worth_at_list_prices() -> None:
    items = (
        PriceItem("cpu", 0),
        PriceItem("mem", 0),
        PriceItem("gres/gpu:h100", 3600),
        PriceItem("gres/gpu:a100", 0),
        PriceItem("license/vcs", 0),
    )
    found = find(Outstanding("VND", NOW, NOW + DAY, 500), prices=PriceList(1, 1, items))
    assert found["VND"] == Promisable("VND", 8 * 10 * SECONDS // 2, 500)
    partly_priced = PriceList(1, 1, items[:3])
    assert "VND" not in find(prices=partly_priced)
