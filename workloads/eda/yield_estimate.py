"""Yield from samples, with its confidence interval; pure."""

import math

_Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def wilson_interval(passed: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a proportion.

    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209; unlike the normal approximation it is right near 0 and 1.
    """
    rate, square = passed / total, _Z_95**2
    middle = (rate + square / (2 * total)) / (1 + square / total)
    half = _Z_95 * math.sqrt(rate * (1 - rate) / total + square / (4 * total**2)) / (1 + square / total)
    return max(0.0, middle - half), min(1.0, middle + half)
