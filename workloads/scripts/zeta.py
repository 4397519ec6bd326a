"""Adds up 1/k² on all workers of the Dask cluster of its job, and compares with π²/6 - 1/N + 1/(2N²).

`python zeta.py TERMS`, 2,000,000 when nothing is said.
"""

import json
import math
import sys
import time
from itertools import pairwise
from pathlib import Path

from distributed import Client

PARTS = 20
TOLERANCE = 1e-12


def part(first: int, last: int) -> float:
    """The terms from `first` up to, and without, `last`."""
    return math.fsum(1 / k**2 for k in range(first, last))


def main(terms: int) -> None:
    """One task for each part; metrics.jsonl has a line for each that is done."""
    bounds = [1 + terms * index // PARTS for index in range(PARTS + 1)]
    known = math.pi**2 / 6 - 1 / terms + 1 / (2 * terms**2)
    began = time.perf_counter()
    found = []
    with (
        Client() as client,  # type: ignore[no-untyped-call]
        Path("metrics.jsonl").open("w", encoding="utf-8") as metrics,
    ):
        for task in [client.submit(part, *both) for both in pairwise(bounds)]:
            found.append(task.result())
            seconds = round(time.perf_counter() - began, 3)
            line = {"step": len(found), "sum": math.fsum(found), "seconds": seconds}
            print(json.dumps(line), file=metrics, flush=True)
    error = abs(math.fsum(found) - known)
    print(f"sum of {terms} terms: {math.fsum(found):.15f}, known: {known:.15f}, apart: {error:.1e}")  # noqa: T201 - the log of the job
    if error > TOLERANCE:
        raise ArithmeticError(f"the sum is off by {error:.1e}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)
