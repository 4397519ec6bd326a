"""Whole đồng: rounding, cutting a sum into parts, and writing it down. No float comes near it."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

Vnd: TypeAlias = int
"""A whole number of đồng."""

VND = "VND"
"""The asset's name in the ledger, beside the names of TRES."""


def divide_half_up(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves away from zero; the only rounding there is.

    Raises:
        ValueError: the denominator is not positive.
    """
    if denominator <= 0:
        message = f"the denominator must be positive, not {denominator}"
        raise ValueError(message)
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def split(total: Vnd, weights: Sequence[int]) -> list[Vnd]:
    """The total cut in proportion to the weights; the parts always sum to it exactly.

    The rounding is cumulative: each part is the difference of two rounded running sums, so that no part
    is off by more than one đồng and none of it is lost or made up.

    Raises:
        ValueError: a weight is negative, or all are zero.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        message = "weights must not be negative, and one must be above zero"
        raise ValueError(message)
    marks = [divide_half_up(total * reached, whole) for reached in accumulate(weights, initial=0)]
    return [after - before for before, after in pairwise(marks)]


def format_vnd(amount: Vnd) -> str:
    """`1.250.000 ₫`, as written in Viet Nam."""
    return f"{amount:,} ₫".replace(",", ".")
