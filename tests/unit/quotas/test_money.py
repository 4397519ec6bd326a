"""Whole đồng: every rounding is half up, once, and parts always sum to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.money import divide_half_up, format_vnd, split


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(0, 7, 0), (1, 2, 1), (3, 2, 2), (5, 2, 3), (1, 3, 0), (2, 3, 1), (49, 100, 0), (50, 100, 1), (7, 7, 1)],
)
def test_halves_round_up(numerator: int, denominator: int, rounded: int) -> None:
    assert divide_half_up(numerator, denominator) == rounded


def test_a_refund_rounds_like_the_charge_it_undoes() -> None:
    assert divide_half_up(-5, 2) == -divide_half_up(5, 2)


def test_amounts_beyond_every_float_stay_exact() -> None:
    assert divide_half_up(10**30 + 1, 2) == 5 * 10**29 + 1


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_denominator_must_be_positive(denominator: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        divide_half_up(1, denominator)


def test_a_hundred_dong_in_three_equal_parts() -> None:
    assert split(100, [1, 1, 1]) == [33, 34, 33]


def test_a_part_without_weight_costs_nothing() -> None:
    assert split(10, [0, 3, 0]) == [0, 10, 0]


@given(total=st.integers(0, 10**15), weights=st.lists(st.integers(0, 10**9), min_size=1).filter(any))
def test_parts_sum_to_the_whole_and_none_is_off_by_more_than_one(total: int, weights: list[int]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) <= sum(weights)


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [3, -1]])
def test_weights_that_make_no_sense_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        split(10, weights)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 ₫"),
        (999, "999 ₫"),
        (1_250_000, "1.250.000 ₫"),
        (-1000, "-1.000 ₫"),
        (10**12, "1.000.000.000.000 ₫"),
    ],
)
def test_dong_are_written_as_in_viet_nam(amount: int, text: str) -> None:
    assert format_vnd(amount) == text
