"""Closed forms that Monte-Carlo timing is checked against, and the confidence interval of a yield."""

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def expected_maximum(first: NormalDist, second: NormalDist, correlation: float = 0.0) -> float:
    """Mean of the larger of two normals: C. E. Clark, Operations Research 9 (1961) 145, equation 2."""
    spread = math.sqrt(first.variance + second.variance - 2 * correlation * first.stdev * second.stdev)
    if spread == 0:
        return max(first.mean, second.mean)
    alpha = (first.mean - second.mean) / spread
    return first.mean * _NORMAL.cdf(alpha) + second.mean * _NORMAL.cdf(-alpha) + spread * _NORMAL.pdf(alpha)


def expected_maximum_of(count: int) -> float:
    """Mean of the largest of `count` independent standard normals, by Simpson's rule on its density.

    Tabulated by L. H. C. Tippett, Biometrika 17 (1925) 364: 0.56419 for 2, 1.16296 for 5, 1.53875 for 10.
    """
    steps, edge = 4000, 9.0
    width = 2 * edge / steps
    total = 0.0
    for index in range(steps + 1):
        at = -edge + index * width
        weight = 1 if index in (0, steps) else 4 if index % 2 else 2
        total += weight * at * count * _NORMAL.pdf(at) * _NORMAL.cdf(at) ** (count - 1)
    return total * width / 3


def wilson_interval(passed: int, samples: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a proportion: E. B. Wilson, JASA 22 (1927) 209; never outside 0 to 1."""
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    share = passed / samples
    middle = share + z * z / (2 * samples)
    half = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
