from collections.abc import Iterator, Mapping
from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from hpc_portal.app.reports.suppress import LEAST, Shown, suppress


def derivable(organisations: Mapping[str, int], shown: Shown[str]) -> Iterator[set[str]]:
    """Every set of cells whose sum a reader can work out: what is shown, and the total less some of it."""
    published = sorted(shown.cells)
    for some in chain.from_iterable(combinations(published, size) for size in range(len(published) + 1)):
        if some:
            yield set(some)
        if shown.total:
            rest = set(organisations) - set(some)
            if rest:
                yield rest


rows = st.dictionaries(
    st.sampled_from(["university", "startup", "city", "training", "x", "y"]), st.integers(0, 12)
)


@settings(deadline=None)
@given(rows)
def test_nothing_that_can_be_worked_out_comes_from_fewer_than_five_organisations(
    organisations: dict[str, int],
) -> None:
    shown = suppress(organisations)
    for cells in derivable(organisations, shown):
        assert sum(organisations[cell] for cell in cells) >= LEAST, (cells, shown)


@settings(deadline=None)
@given(rows)
def test_what_harms_nobody_is_shown(organisations: dict[str, int]) -> None:
    shown = suppress(organisations)
    assert shown.total == (sum(organisations.values()) >= LEAST)
    if organisations and all(count >= LEAST for count in organisations.values()):
        assert shown.cells == set(organisations)


def test_a_sector_of_four_is_hidden_and_so_is_the_smallest_one_that_would_give_it_away() -> None:
    shown = suppress({"startup": 6, "university": 8, "city": 4})
    assert shown == Shown(frozenset({"university"}), total=True)


def test_hidden_sectors_that_hide_each_other_need_no_further_one() -> None:
    shown = suppress({"startup": 6, "university": 3, "city": 2})
    assert shown == Shown(frozenset({"startup"}), total=True)


def test_a_month_of_four_organisations_shows_nothing() -> None:
    assert suppress({"startup": 3, "university": 1}) == Shown(frozenset(), total=False)


def test_an_empty_sector_does_not_say_that_it_is_empty() -> None:
    assert suppress({"startup": 6, "city": 0}) == Shown(frozenset(), total=True)
