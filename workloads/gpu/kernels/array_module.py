"""NumPy or CuPy, chosen once and given to the kernels as `xp`."""

import importlib
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""An array of the `xp` that made it; a comment beside a field says shape and unit."""


class NoGpu(Exception):
    """A GPU was asked for and cannot be used: never quietly a CPU instead."""


def choose_array_module(*, gpus: int) -> ModuleType:
    """NumPy for no GPUs, CuPy for some.

    CuPy can be imported without a driver, so what counts is `cupy.is_available()`.

    Raises:
        NoGpu: CuPy is missing, or sees fewer GPUs than asked for.
    """
    if gpus == 0:
        return np
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise NoGpu(
            f"{gpus} GPU(s) were asked for and the Python package {error.name} is missing on this node"
        ) from error
    found = int(cupy.cuda.runtime.getDeviceCount()) if cupy.is_available() else 0
    if found < gpus:
        raise NoGpu(f"{gpus} GPU(s) were asked for and CuPy {cupy.__version__} sees {found}")
    return cupy


def to_host(array: Array) -> "np.ndarray[Any, Any]":
    """The array in the host's memory, after the device has finished it."""
    return np.asarray(array.get() if hasattr(array, "get") else array)


def synchronize(xp: ModuleType) -> None:
    """Wait until the device has done all that it was told."""
    if xp is not np:
        xp.cuda.Device().synchronize()
