"""The value of a gate for many patterns: one kernel on a GPU, one operation after the other on NumPy."""

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

from workloads.gpu.kernels.array_module import Array
from workloads.gpu.kernels.boolean import Function


def gate_value(xp: ModuleType, function: Function, inputs: Sequence[Array]) -> Array:
    """Words of 64 patterns; inputs may have different shapes that broadcast."""
    if hasattr(xp, "ElementwiseKernel") and any(getattr(one, "shape", ()) for one in inputs):
        return _kernel(xp, function, len(inputs))(*inputs)
    return function.of(inputs, xp.uint64(2**64 - 1))


@cache
def _kernel(xp: ModuleType, function: Function, inputs: int) -> Any:  # noqa: ANN401 - CuPy's
    names = [f"i{place}" for place in range(inputs)]
    given = ", ".join(f"uint64 {name}" for name in names)
    return xp.ElementwiseKernel(given, "uint64 value", f"value = {function.in_c(names)}", "gate_value")
