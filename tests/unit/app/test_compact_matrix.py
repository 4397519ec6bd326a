"""A matrix in few bytes holds what the cells say, whatever their order and holes."""

import pytest

from hpc_portal.app.campaigns.compact import blocks_of, ranges_of
from workloads.template import CampaignCell


def test_a_whole_regression_is_a_block_for_each_test() -> None:
    cells = [CampaignCell(row * 3 + seed, f"t{row}", str(seed)) for row in range(2) for seed in range(3)]
    assert blocks_of(cells) == ((0, 0, 0, 3), (3, 1, 0, 3))


def test_holes_of_a_rerun_and_columns_out_of_order_break_blocks() -> None:
    cells = [
        CampaignCell(4, "a", "1"),
        CampaignCell(5, "a", "2"),
        CampaignCell(7, "a", "4"),
        CampaignCell(8, "b", "2"),
        CampaignCell(9, "b", "1"),
    ]
    assert blocks_of(cells) == ((4, 0, 0, 2), (7, 0, 2, 1), (8, 1, 1, 1), (9, 1, 0, 1))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], []),
        (["1", "2", "3", "9"], [(1, 3), "9"]),
        (["1", "2", "x"], ["1", "2", "x"]),
        (["01", "02", "03"], ["01", "02", "03"]),
        (["9" * 20, "0"], ["9" * 20, "0"]),
        (["3", "2", "1"], ["3", "2", "1"]),
        (["ss 0.9", "0", "1", "2"], ["ss 0.9", (0, 2)]),
    ],
)
def test_only_plain_numbers_that_rise_by_one_are_ranges(names: list[str], found: list[object]) -> None:
    assert list(ranges_of(names)) == found
