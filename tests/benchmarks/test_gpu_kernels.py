"""GPU kernels: CuPy against NumPy on the same machine, and both against their device's memory bandwidth."""

import importlib
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from workloads.gpu.kernels.array_module import NoGpu, choose_array_module, synchronize
from workloads.gpu.kernels.bandwidth import copy_bytes_per_second
from workloads.gpu.kernels.checked_gemm import run_gemm
from workloads.gpu.kernels.fault_simulation import random_patterns, simulate_faults, simulate_good
from workloads.gpu.kernels.faults import list_faults
from workloads.gpu.kernels.liberty import read_library
from workloads.gpu.kernels.logic import Circuit, build_circuit
from workloads.gpu.kernels.monte_carlo import Resident, Sampling, endpoint_arrivals, sample_timing
from workloads.gpu.kernels.netlist import read_netlist
from workloads.gpu.kernels.timing_graph import NEVER, TimingGraph, build_timing_graph

pytestmark = pytest.mark.benchmark

GIGA = 1e9
REPEATS = 5
WORD_BYTES, SAMPLE_BYTES = 8, 4
FILLING = 64
"""A GPU is given so many times more patterns of the good circuit: they must not fit into its caches."""
C432 = Path(__file__).parents[1] / "unit/workloads/gpu/netlists/c432.v"


def backends() -> list[ModuleType]:
    """NumPy, and CuPy where it sees a GPU."""
    try:
        return [np, choose_array_module(gpus=1)]
    except NoGpu as missing:
        print(f"\nno GPU here ({missing}): the GPU's side is not measured")
        return [np]


def best_seconds(xp: ModuleType, work: Callable[[], object]) -> float:
    """Of some runs, after one that is not counted."""
    work()
    seconds = []
    for _ in range(REPEATS):
        synchronize(xp)
        began = time.perf_counter()
        work()
        synchronize(xp)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def adder() -> TimingGraph:
    folder = files("workloads.gpu.examples")
    return build_timing_graph(
        read_netlist(folder.joinpath("adder16.v").read_text()),
        read_library(folder.joinpath("example45.lib").read_text()),
        input_slew_ns=0.05,
        wire_capacitance_pf=0.001,
        output_load_pf=0.005,
    )


def moved_bytes(graph: TimingGraph, samples: int) -> int:
    """What propagation must at least read (inputs' arrivals, the factor) and write: stages, endpoints."""
    words = sum(2 + sum(source != NEVER for source in row) for level in graph.levels for row in level.sources)
    return (words + 2 * len(graph.endpoints)) * samples * SAMPLE_BYTES


def samples_per_second(xp: ModuleType, graph: TimingGraph) -> float:
    samples, memory, at_once = (100_000, 2**24, 8192) if xp is np else (4_000_000, 2**31, 1_000_000)
    wanted = Sampling(global_sigma=0.05, local_sigma=0.08, samples=samples, seed=1)
    whole = best_seconds(xp, lambda: sample_timing(xp, graph, wanted, memory_bytes=memory))
    resident = Resident.of(xp, graph)
    factors = [xp.ones((len(level.outputs), at_once), dtype=xp.float32) for level in graph.levels]
    alone = best_seconds(xp, lambda: endpoint_arrivals(xp, resident, iter(factors), at_once))
    moved, copied = moved_bytes(graph, at_once) / alone, copy_bytes_per_second(xp, 2**28)
    print(
        f"\nstatistical timing, {graph.stages} stages, {xp.__name__}: {samples / whole:,.0f} samples/s; "
        f"propagation alone moves {moved / GIGA:.1f} GB/s, a copy {copied / GIGA:.1f} GB/s "
        f"(ratio {moved / copied:.2f})"
    )
    return samples / whole


def patterns_per_second(xp: ModuleType, circuit: Circuit) -> float:
    faults = list_faults(circuit).classes
    asked, memory = (16_384, 2**24) if xp is np else (2_097_152, 2**31)
    patterns = random_patterns(circuit, asked, 1)
    whole = best_seconds(xp, lambda: simulate_faults(xp, circuit, faults, patterns, memory_bytes=memory))
    resident = xp.asarray(patterns)
    if xp is not np:
        resident = xp.tile(resident, (1, FILLING))
    good = best_seconds(xp, lambda: simulate_good(xp, circuit, resident))
    words = sum(len(gate.inputs) + 1 for gate in circuit.gates) * resident.shape[1]
    moved, copied = words * WORD_BYTES / good, copy_bytes_per_second(xp, 2**28)
    print(
        f"\nfault simulation, c432, {len(faults)} faults, {xp.__name__}: {asked / whole:,.0f} patterns/s "
        f"over all faults, detected ones dropped; the good circuit moves {moved / GIGA:.1f} GB/s, a copy "
        f"{copied / GIGA:.1f} GB/s (ratio {moved / copied:.2f})"
    )
    return asked / whole


def test_statistical_timing() -> None:
    graph = adder()
    say_ratio({xp.__name__: samples_per_second(xp, graph) for xp in backends()})


def test_fault_simulation() -> None:
    circuit = build_circuit(read_netlist(C432.read_text()), {})
    say_ratio({xp.__name__: patterns_per_second(xp, circuit) for xp in backends()})


def test_checked_products() -> None:
    speeds = {}
    for xp in backends():
        side = 1024 if xp is np else 8192
        run = run_gemm(xp, side=side, seconds=2, seed=1)
        assert run.wrong.is_right
        speeds[xp.__name__] = run.flops_per_second
        print(f"\nfloat32 products of side {side}, {xp.__name__}: {run.flops_per_second / GIGA:,.0f} GFLOP/s")
    say_ratio(speeds)


def say_ratio(speeds: dict[str, float]) -> None:
    if "cupy" in speeds:
        runtime = importlib.import_module("cupy").cuda.runtime
        device = runtime.getDeviceProperties(0)["name"].decode()
        print(f"CuPy on {device} is {speeds['cupy'] / speeds['numpy']:.1f} times as fast as NumPy here")
