"""Subsidies: one rule in a fixed order, and list price less subsidy is net to the đồng, line by line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from quotas.pricing import PriceItem, PriceList, estimate, price
from quotas.subsidies import NO_SUBSIDY, Beneficiary, Subsidy, SubsidyRule, choose

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
ALPHA, BETA = UUID(int=1), UUID(int=2)
WHO = Beneficiary(ALPHA, "startup", {"chips", "course"})
PRICES = PriceList(
    id=1,
    version=1,
    items=(
        PriceItem("cpu", 601),
        PriceItem("mem", 37),
        PriceItem("gres/gpu", 33_333),
        PriceItem("license/vcs", 7),
    ),
)
USES = st.dictionaries(
    st.sampled_from(["cpu", "mem", "gres/gpu", "license/vcs"]), st.integers(0, 10**12), min_size=1
)
SUBSIDIES = st.builds(
    Subsidy,
    rule_id=st.just(1),
    basis_points=st.integers(0, 10_000),
    cap_vnd=st.none() | st.integers(0, 10**9),
)


def rule(number: int, basis_points: int, **facts: object) -> SubsidyRule:
    everybody = SubsidyRule(
        id=number,
        subsidy=Subsidy(number, basis_points),
        organisation_id=None,
        programme=None,
        organisation_kind=None,
        valid_from=START,
        valid_to=END,
    )
    return replace(everybody, **facts)  # type: ignore[arg-type]


EVERYBODY = rule(1, 100)
STARTUPS = rule(2, 200, organisation_kind="startup")
CHIPS = rule(3, 300, programme="chips")
ALPHA_ONLY = rule(4, 0, organisation_id=ALPHA)


def chosen(*rules: SubsidyRule, who: Beneficiary = WHO, at: datetime = START) -> int | None:
    return choose(rules, who, at).rule_id


def test_without_a_rule_nothing_is_paid_for_anybody() -> None:
    assert choose([], WHO, START) is NO_SUBSIDY
    assert NO_SUBSIDY.of(10**9) == 0


def test_the_most_particular_rule_counts_and_rules_are_not_added_up() -> None:
    assert chosen(EVERYBODY) == 1
    assert chosen(STARTUPS, EVERYBODY) == 2
    assert chosen(EVERYBODY, CHIPS, STARTUPS) == 3
    assert chosen(ALPHA_ONLY, EVERYBODY, CHIPS, STARTUPS) == 4


def test_a_rule_of_nothing_is_an_exception() -> None:
    assert choose([CHIPS, ALPHA_ONLY], WHO, START).of(1_000) == 0


def test_of_two_equally_particular_rules_the_later_one_counts() -> None:
    later = rule(5, 50, programme="course", valid_from=START + timedelta(days=1))
    assert chosen(CHIPS, later, at=START + timedelta(days=2)) == 5
    assert chosen(CHIPS, rule(6, 50, programme="course")) == 6


def test_rules_for_others_do_not_count() -> None:
    others = [
        rule(1, 1, organisation_id=BETA),
        rule(2, 1, programme="biology"),
        rule(3, 1, organisation_kind="university"),
        rule(4, 1, organisation_kind="startup", programme="biology"),
    ]
    assert chosen(*others) is None


def test_a_rule_counts_from_its_first_instant_to_before_its_last() -> None:
    tick = timedelta(microseconds=1)
    assert chosen(EVERYBODY, at=START - tick) is None
    assert chosen(EVERYBODY, at=START) == chosen(EVERYBODY, at=END - tick) == 1
    assert chosen(EVERYBODY, at=END) is None


def test_a_quarter_of_ten_is_rounded_half_up() -> None:
    assert Subsidy(1, 2500).of(10) == 3  # 2.5
    assert Subsidy(1, 2500).of(9) == 2  # 2.25


def test_a_cap_holds_for_each_run() -> None:
    assert Subsidy(1, 5000, cap_vnd=300).of(500) == 250
    assert Subsidy(1, 5000, cap_vnd=300).of(5_000) == 300


@given(use=USES, subsidy=SUBSIDIES)
def test_list_less_subsidy_is_net_for_the_whole_and_for_each_line(
    use: dict[str, int], subsidy: Subsidy
) -> None:
    bill = price(use, "main", PRICES, subsidy)
    plain = price(use, "main", PRICES)
    assert bill.list_vnd == plain.total == plain.list_vnd
    assert bill.subsidy_vnd == subsidy.of(plain.total)
    assert bill.list_vnd - bill.subsidy_vnd == bill.total == sum(line.vnd for line in bill.lines)
    assert [line.list_vnd for line in bill.lines] == [line.list_vnd for line in plain.lines]
    assert all(0 <= line.subsidy_vnd <= line.list_vnd for line in bill.lines)


@given(use=USES, more=USES, subsidy=SUBSIDIES)
def test_more_use_never_costs_less_net_so_a_hold_bounds_every_charge(
    use: dict[str, int], more: dict[str, int], subsidy: Subsidy
) -> None:
    together = {name: use.get(name, 0) + more.get(name, 0) for name in use.keys() | more.keys()}
    assert price(use, "main", PRICES, subsidy).total <= price(together, "main", PRICES, subsidy).total


@given(subsidy=SUBSIDIES, tasks=st.integers(1, 10**5))
def test_an_array_is_its_task_times_their_number_in_list_subsidy_and_net(
    subsidy: Subsidy, tasks: int
) -> None:
    bound = estimate(
        {"cpu": 3}, walltime_seconds=1234, tasks=tasks, partition="main", price_list=PRICES, subsidy=subsidy
    )
    assert bound.list_vnd - bound.subsidy_vnd == bound.vnd == bound.unit_price.total * tasks
