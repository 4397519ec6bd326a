"""Stuck-at fault coverage of a netlist: `python -m workloads.gpu.kernels.grade_faults PARAMETERS.json`.

Writes faults.json and undetected.txt. Exit codes: 0 done, 64 wrong parameters, 65 a design file is
wrong, 69 a package or a GPU is missing.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workloads.gpu.kernels.program import (
    EXIT_DATA,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    fail,
    fail_missing,
    read_input,
    read_parameters,
    say,
    write_result,
)

try:
    from workloads.gpu.kernels.array_module import NoGpu, choose_array_module
    from workloads.gpu.kernels.fault_simulation import BITS, random_patterns, simulate_faults
except ImportError as error:
    fail_missing(error)

from workloads.gpu.kernels.design_error import DesignError
from workloads.gpu.kernels.faults import FaultList, list_faults
from workloads.gpu.kernels.liberty import read_library
from workloads.gpu.kernels.logic import Circuit, build_circuit
from workloads.gpu.kernels.netlist import read_netlist


def main() -> None:
    """Read, simulate, write."""
    given = read_parameters()
    try:
        xp = choose_array_module(gpus=given["gpus"])
        circuit = _read_circuit(given)
        faults = list_faults(circuit)
        patterns = random_patterns(circuit, given["patterns"], given["seed"])
        began = time.perf_counter()
        found = simulate_faults(
            xp, circuit, faults.classes, patterns, memory_bytes=given["memory_mib"] * 2**20
        )
    except NoGpu as missing:
        fail(EXIT_UNAVAILABLE, str(missing), missing="gpu")
    except (KeyError, TypeError) as wrong:
        fail(EXIT_USAGE, f"cannot use the parameters: {wrong!r}")
    seconds = time.perf_counter() - began
    result = summarize(circuit, faults, found, patterns=patterns.shape[1] * BITS)
    result |= {"backend": xp.__name__, "seconds": seconds}
    undetected = [one.named(circuit) for one, seen in zip(faults.classes, found, strict=True) if seen is None]
    Path("undetected.txt").write_text("".join(f"{name}\n" for name in undetected), encoding="utf-8")
    write_result("faults.json", result)
    say(
        f"{result['detected']} of {result['collapsed']} collapsed faults detected by {result['patterns']} "
        f"patterns, coverage {result['coverage']:.4%}; {seconds:.2f} s on {xp.__name__}"
    )


def summarize(
    circuit: Circuit, faults: FaultList, found: Sequence[int | None], *, patterns: int
) -> dict[str, Any]:
    """Coverage, of collapsed faults and of all, and how it grew."""
    seen = sorted(pattern for pattern in found if pattern is not None)
    curve, edge = [[1.0, _share(seen, 1, len(found))]], 1
    while edge < patterns:
        edge = min(2 * edge, patterns)
        curve.append([float(edge), _share(seen, edge, len(found))])
    covered = sum(size for size, pattern in zip(faults.sizes, found, strict=True) if pattern is not None)
    return {
        "gates": len(circuit.gates),
        "inputs": len(circuit.inputs),
        "observed": len(circuit.observed),
        "faults": faults.total,
        "collapsed": len(found),
        "detected": len(seen),
        "coverage": len(seen) / len(found) if found else 0.0,
        "coverage_of_all": covered / faults.total if faults.total else 0.0,
        "patterns": patterns,
        "last_useful_pattern": seen[-1] if seen else 0,
        "coverage_curve": curve,
    }


def _share(seen: Sequence[int], patterns: int, faults: int) -> float:
    return sum(pattern < patterns for pattern in seen) / faults if faults else 0.0


def _read_circuit(given: dict[str, Any]) -> Circuit:
    name = given["liberty"]
    try:
        library = read_library(read_input(name))
        name = given["netlist"]
        return build_circuit(read_netlist(read_input(name)), library)
    except DesignError as wrong:
        fail(EXIT_DATA, f"{name}: {wrong}")


if __name__ == "__main__":
    main()
