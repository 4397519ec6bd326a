"""CuPy against NumPy: equal where the design says so, near where the arithmetic's order differs."""

import math
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from workloads.gpu.kernels.array_module import choose_array_module, to_host
from workloads.gpu.kernels.bandwidth import copy_bytes_per_second, triad_bytes_per_second
from workloads.gpu.kernels.checked_gemm import WrongSums, check_product, run_gemm
from workloads.gpu.kernels.fault_simulation import random_patterns, simulate_faults, simulate_good
from workloads.gpu.kernels.faults import list_faults
from workloads.gpu.kernels.liberty import read_library
from workloads.gpu.kernels.logic import Circuit, build_circuit
from workloads.gpu.kernels.monte_carlo import Resident, Sampling, endpoint_arrivals, sample_timing
from workloads.gpu.kernels.netlist import read_netlist
from workloads.gpu.kernels.timing_graph import TimingGraph, build_timing_graph

C432 = Path(__file__).parents[1] / "unit/workloads/gpu/netlists/c432.v"
EXAMPLES = files("workloads.gpu.examples")
SAMPLES = 200_000
MEMORY = 64 * 2**20


@pytest.fixture(scope="module")
def cupy() -> ModuleType:
    return choose_array_module(gpus=1)


@pytest.fixture(scope="module")
def adder() -> TimingGraph:
    return build_timing_graph(
        read_netlist(EXAMPLES.joinpath("adder16.v").read_text()),
        read_library(EXAMPLES.joinpath("example45.lib").read_text()),
        input_slew_ns=0.05,
        wire_capacitance_pf=0.001,
        output_load_pf=0.005,
    )


def circuits() -> dict[str, Circuit]:
    """Primitive gates of up to nine inputs, and cells of a library with flip-flops."""
    library = read_library(EXAMPLES.joinpath("example45.lib").read_text())
    return {
        "c432": build_circuit(read_netlist(C432.read_text()), {}),
        "adder16": build_circuit(read_netlist(EXAMPLES.joinpath("adder16.v").read_text()), library),
    }


@pytest.mark.parametrize("name", ["c432", "adder16"])
def test_every_net_of_a_circuit_has_the_same_bits(cupy: ModuleType, name: str) -> None:
    circuit = circuits()[name]
    patterns = random_patterns(circuit, 10_000, seed=7)
    expected = simulate_good(np, circuit, patterns)
    found = simulate_good(cupy, circuit, cupy.asarray(patterns))
    assert found.keys() == expected.keys()
    for net, words in expected.items():
        assert np.array_equal(to_host(found[net]), words), net


@pytest.mark.parametrize("memory_mib", [1, 64])
@pytest.mark.parametrize("name", ["c432", "adder16"])
def test_every_fault_is_first_seen_by_the_same_pattern(cupy: ModuleType, name: str, memory_mib: int) -> None:
    circuit = circuits()[name]
    faults = list_faults(circuit).classes
    patterns = random_patterns(circuit, 4096, seed=3)
    of_numpy, of_cupy = (
        simulate_faults(xp, circuit, faults, patterns, memory_bytes=memory_mib * 2**20) for xp in (np, cupy)
    )
    assert of_cupy == of_numpy
    assert any(pattern is not None for pattern in of_numpy)


def test_arrivals_of_the_same_delays_differ_by_rounding_alone(cupy: ModuleType, adder: TimingGraph) -> None:
    random = np.random.default_rng(5)
    shapes = [(len(level.outputs), 10_007) for level in adder.levels]
    factors = [(1 + 0.1 * random.standard_normal(shape)).astype(np.float32) for shape in shapes]
    expected = endpoint_arrivals(np, Resident.of(np, adder), iter(factors), 10_007)
    on_device = map(cupy.asarray, factors)
    found = to_host(endpoint_arrivals(cupy, Resident.of(cupy, adder), on_device, 10_007))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_distribution_of_delays_is_the_same(cupy: ModuleType, adder: TimingGraph) -> None:
    """The two draw different normals, so the moments differ by the sampling error."""
    wanted = Sampling(global_sigma=0.05, local_sigma=0.08, samples=SAMPLES, seed=1)
    of_numpy, of_cupy = (sample_timing(xp, adder, wanted, memory_bytes=MEMORY) for xp in (np, cupy))
    sd = float(of_numpy.latest_ns.std())
    error = sd * math.sqrt(2 / SAMPLES)
    assert float(of_cupy.latest_ns.mean()) == pytest.approx(float(of_numpy.latest_ns.mean()), abs=5 * error)
    assert float(of_cupy.latest_ns.std()) == pytest.approx(sd, rel=0.02)
    assert of_cupy.is_latest.sum() == SAMPLES
    assert of_cupy.is_latest / SAMPLES == pytest.approx(of_numpy.is_latest / SAMPLES, abs=0.01)


def test_a_seed_repeats_its_samples_and_another_does_not(cupy: ModuleType, adder: TimingGraph) -> None:
    def latest(seed: int) -> "np.ndarray[Any, Any]":
        wanted = Sampling(global_sigma=0.05, local_sigma=0.08, samples=10_000, seed=seed)
        return sample_timing(cupy, adder, wanted, memory_bytes=MEMORY).latest_ns

    assert np.array_equal(latest(1), latest(1))
    assert not np.array_equal(latest(1), latest(2))


def test_without_variation_the_device_computes_static_timing(cupy: ModuleType, adder: TimingGraph) -> None:
    wanted = Sampling(global_sigma=0.0, local_sigma=0.0, samples=1000, seed=1)
    found = sample_timing(cupy, adder, wanted, memory_bytes=MEMORY).latest_ns
    np.testing.assert_allclose(found, adder.nominal_ns, rtol=1e-5)


def test_products_are_right_to_the_last_bit_and_one_wrong_bit_is_found(cupy: ModuleType) -> None:
    run = run_gemm(cupy, side=4096, seconds=0, seed=1)
    assert run.wrong.is_right
    assert run.products == 2
    random = np.random.default_rng(1)
    left, right = (cupy.asarray(random.integers(1, 4, (512, 512)), dtype=cupy.float32) for _ in "ab")
    product = left @ right
    assert np.array_equal(to_host(product), to_host(left) @ to_host(right))
    product.view(cupy.uint32)[17, 31] ^= cupy.uint32(1)
    assert check_product(cupy, left, right, product) == WrongSums((17,), (31,))


def test_memory_moves_no_faster_than_it_can(cupy: ModuleType) -> None:
    """A copy that returned before the device was done would seem to."""
    size = 2**30
    began, ended = cupy.cuda.Event(), cupy.cuda.Event()
    source, target = cupy.ones(size // 8), cupy.zeros(size // 8)
    cupy.copyto(target, source)
    began.record()
    cupy.copyto(target, source)
    ended.record()
    ended.synchronize()
    by_the_device = 2 * size / (cupy.cuda.get_elapsed_time(began, ended) / 1000)
    assert copy_bytes_per_second(cupy, size) == pytest.approx(by_the_device, rel=0.2)
    assert triad_bytes_per_second(cupy, size) == pytest.approx(by_the_device, rel=0.3)
