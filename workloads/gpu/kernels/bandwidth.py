"""Memory bandwidth: McCalpin's STREAM copy and triad, on whatever device `xp` computes."""

import time
from collections.abc import Callable
from types import ModuleType

from workloads.gpu.kernels.array_module import synchronize

_BYTES = 8
_REPEATS = 10
_LEAST_SECONDS = 0.3
"""An idle GPU needs a moment until its clocks are up."""


def copy_bytes_per_second(xp: ModuleType, array_bytes: int) -> float:
    """Best of ten or more `a = b`; a read and a write are counted, as STREAM does."""
    count = array_bytes // _BYTES
    source, target = xp.full(count, 1.5, dtype=xp.float64), xp.zeros(count, dtype=xp.float64)
    return 2 * count * _BYTES / _best(xp, lambda: xp.copyto(target, source))


def triad_bytes_per_second(xp: ModuleType, array_bytes: int) -> float:
    """Best of ten or more `a = b + s * c` with counted traffic of STREAM's three arrays.

    NumPy needs two passes over `a` for it, and reaches at most 3/5 of the bandwidth of a fused loop.
    """
    count = array_bytes // _BYTES
    first, second = xp.full(count, 1.5, dtype=xp.float64), xp.full(count, 0.5, dtype=xp.float64)
    target = xp.zeros(count, dtype=xp.float64)
    if hasattr(xp, "ElementwiseKernel"):
        fused = xp.ElementwiseKernel("float64 b, float64 c, float64 s", "float64 a", "a = b + s * c", "triad")
        return 3 * count * _BYTES / _best(xp, lambda: fused(first, second, 3.0, target))

    def two_passes() -> None:
        xp.multiply(second, 3.0, out=target)
        xp.add(target, first, out=target)

    return 3 * count * _BYTES / _best(xp, two_passes)


def _best(xp: ModuleType, work: Callable[[], object]) -> float:
    """Seconds of the fastest run, after one that is not counted."""
    work()
    fastest, runs, started = float("inf"), 0, time.perf_counter()
    while runs < _REPEATS or time.perf_counter() - started < _LEAST_SECONDS:
        synchronize(xp)
        began = time.perf_counter()
        work()
        synchronize(xp)
        fastest = min(fastest, time.perf_counter() - began)
        runs += 1
    return fastest
