"""A matrix product whose every element is checked: K.-H. Huang and J. A. Abraham's row and column sums.

IEEE Trans. Computers C-33 (1984) 518. All elements are 1, 2 or 3, so that every product and every sum is a
whole number that floats hold exactly: the check is for equality, and one wrong bit anywhere fails it.
"""

import time
from dataclasses import dataclass
from types import ModuleType

from workloads.gpu.kernels.array_module import Array, synchronize, to_host

LARGEST_SIDE = 32_768
"""Elements of the product reach 9 x side, which float32 holds exactly below 2^24."""


@dataclass(frozen=True)
class WrongSums:
    """Rows and columns of a product whose sum is wrong: where they cross stand the wrong elements."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def is_right(self) -> bool:
        """Whether every sum is right."""
        return not self.rows and not self.columns


@dataclass(frozen=True)
class GemmRun:
    """What repeated products gave."""

    flops_per_second: float
    """Of the fastest product."""
    wrong: WrongSums
    """Of the first product that was wrong."""
    products: int


def run_gemm(xp: ModuleType, *, side: int, seconds: float, seed: int, dtype: str = "float32") -> GemmRun:
    """Multiply and check for so many seconds, twice at least; stop at the first wrong product."""
    random = xp.random.default_rng(seed)
    left, right = (
        (random.random((side, side), dtype=xp.float32) * 3).astype(xp.int8).astype(dtype) + 1 for _ in "ab"
    )
    out = xp.empty((side, side), dtype=dtype)
    fastest, products, began = float("inf"), 0, time.perf_counter()
    wrong = WrongSums((), ())
    while wrong.is_right and (products < 2 or time.perf_counter() - began < seconds):  # noqa: PLR2004 - one to warm
        synchronize(xp)
        started = time.perf_counter()
        xp.matmul(left, right, out=out)
        synchronize(xp)
        fastest = min(fastest, time.perf_counter() - started)
        products += 1
        wrong = check_product(xp, left, right, out)
    return GemmRun(2 * side**3 / fastest, wrong, products)


def check_product(xp: ModuleType, left: Array, right: Array, product: Array) -> WrongSums:
    """Compare the product's sums with those of its factors, in float64, which is exact here."""
    rows = left.astype(xp.float64) @ right.sum(axis=1, dtype=xp.float64)
    columns = left.sum(axis=0, dtype=xp.float64) @ right.astype(xp.float64)
    # NaN equals nothing, so it is wrong too.
    wrong_rows = to_host(~(product.sum(axis=1, dtype=xp.float64) == rows))
    wrong_columns = to_host(~(product.sum(axis=0, dtype=xp.float64) == columns))
    return WrongSums(tuple(map(int, wrong_rows.nonzero()[0])), tuple(map(int, wrong_columns.nonzero()[0])))
