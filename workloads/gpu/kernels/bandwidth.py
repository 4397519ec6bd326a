"""Memory bandwidth: McCalpin's STREAM copy and triad, on whatever device `xp` computes."""

import time
from collections.abc import Callable
from types import ModuleType

from workloads.gpu.kernels.array_module import synchronize

_BYTES = 8
_REPEATS = 10


def copy_bytes_per_second(xp: ModuleType, array_bytes: int) -> float:
    """Best of ten `a = b`; a read and a write are counted, as STREAM does."""
    count = array_bytes // _BYTES
    source, target = xp.full(count, 1.5, dtype=xp.float64), xp.zeros(count, dtype=xp.float64)
    return 2 * count * _BYTES / _best(xp, lambda: xp.copyto(target, source))


def triad_bytes_per_second(xp: ModuleType, array_bytes: int) -> float:
    """Best of ten `a = b + s * c` with counted traffic of STREAM's three arrays.

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
    fastest = float("inf")
    for repeat in range(_REPEATS + 1):
        synchronize(xp)
        began = time.perf_counter()
        work()
        synchronize(xp)
        if repeat:
            fastest = min(fastest, time.perf_counter() - began)
    return fastest
