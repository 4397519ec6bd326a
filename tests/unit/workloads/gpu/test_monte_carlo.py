"""Statistical timing against closed forms, and against one sample worked out path by path."""

import math
from importlib.resources import files
from statistics import NormalDist

import numpy as np
import pytest

from tests.unit.workloads.gpu.designs import chain, graph, parallel
from workloads.gpu.kernels.liberty import read_library
from workloads.gpu.kernels.monte_carlo import (
    Resident,
    Sampled,
    Sampling,
    endpoint_arrivals,
    sample_timing,
    samples_at_once,
)
from workloads.gpu.kernels.netlist import read_netlist
from workloads.gpu.kernels.statistics import expected_maximum, expected_maximum_of, wilson_interval
from workloads.gpu.kernels.timing_graph import NEVER, START, TimingGraph, build_timing_graph

SAMPLES = 200_000
MEMORY = 8 * 2**20


def sample(timing: TimingGraph, global_sigma: float, local_sigma: float) -> Sampled:
    wanted = Sampling(global_sigma, local_sigma, SAMPLES, seed=1)
    return sample_timing(np, timing, wanted, memory_bytes=MEMORY)


def error_of_mean(sampled: Sampled) -> float:
    return float(sampled.latest_ns.std() / math.sqrt(SAMPLES))


def test_independent_stages_in_a_row_add_their_variances() -> None:
    sampled = sample(graph(chain(16)), 0.0, 0.1)
    assert sampled.latest_ns.mean() == pytest.approx(16, abs=5 * error_of_mean(sampled))
    assert sampled.latest_ns.std() == pytest.approx(0.1 * math.sqrt(16), rel=0.01)


def test_common_variation_does_not_average_out() -> None:
    sampled = sample(graph(chain(16)), 0.1, 0.0)
    assert sampled.latest_ns.std() == pytest.approx(0.1 * 16, rel=0.01)


@pytest.mark.parametrize(("paths", "tabulated"), [(2, 0.56419), (5, 1.16296), (10, 1.53875)])
def test_the_latest_of_parallel_paths_is_the_expected_maximum_of_normals(
    paths: int, tabulated: float
) -> None:
    assert expected_maximum_of(paths) == pytest.approx(tabulated, abs=1e-5)
    sampled = sample(graph(parallel(paths)), 0.0, 0.1)
    assert sampled.latest_ns.mean() == pytest.approx(1 + 0.1 * tabulated, abs=5 * error_of_mean(sampled))
    assert sampled.is_latest.sum() == SAMPLES
    assert sampled.is_latest / SAMPLES == pytest.approx(1 / paths, abs=0.01)


def test_correlated_paths_follow_clark() -> None:
    each = NormalDist(1, math.hypot(0.06, 0.08))
    sampled = sample(graph(parallel(2)), 0.06, 0.08)
    expected = expected_maximum(each, each, correlation=0.36)
    assert expected == pytest.approx(1 + 0.08 / math.sqrt(math.pi)), "0.36 is 0.06^2 / 0.1^2"
    assert sampled.latest_ns.mean() == pytest.approx(expected, abs=5 * error_of_mean(sampled))


def test_clark_on_normals_that_are_always_apart_is_the_larger_mean() -> None:
    assert expected_maximum(NormalDist(9, 0.1), NormalDist(1, 0.1)) == pytest.approx(9)
    assert expected_maximum(NormalDist(1, 0.1), NormalDist(2, 0.1), correlation=1) == 2


def test_every_sample_of_a_real_design_is_the_longest_of_all_its_paths() -> None:
    """Brute force: every path of the adder, by recursion, with the same drawn factors."""
    timing = adder()
    random = np.random.default_rng(7)
    samples = 3
    factors = [1 + 0.2 * random.random((len(one.outputs), samples)) for one in timing.levels]
    found = endpoint_arrivals(np, Resident.of(np, timing), iter(factors), samples)
    driver = {
        net: (level, row) for level, one in enumerate(timing.levels) for row, net in enumerate(one.outputs)
    }

    def longest(net: int, which: int) -> float:
        if net in (NEVER, START):
            return 0.0 if net == START else -math.inf
        level, row = driver[net]
        here = timing.levels[level]
        return max(
            longest(source, which) + delay * float(factors[level][row, which])
            for source, delay in zip(here.sources[row], here.delays_ns[row], strict=True)
            if source != NEVER
        )

    for index, end in enumerate(timing.endpoints[:12]):
        for which in range(samples):
            assert found[index, which] == pytest.approx(longest(end.net, which) + end.setup_ns, rel=1e-5)


def adder() -> TimingGraph:
    folder = files("workloads.gpu.examples")
    return build_timing_graph(
        read_netlist(folder.joinpath("adder16.v").read_text()),
        read_library(folder.joinpath("example45.lib").read_text()),
        input_slew_ns=0.05,
        wire_capacitance_pf=0.001,
        output_load_pf=0.005,
    )


def test_without_variation_every_sample_is_the_nominal_one() -> None:
    timing = adder()
    sampled = sample_timing(np, timing, Sampling(0.0, 0.0, 10, seed=1), memory_bytes=MEMORY)
    assert sampled.latest_ns == pytest.approx(timing.nominal_ns, rel=1e-5)


def test_the_memory_decides_how_many_samples_are_computed_at_once_and_a_seed_repeats_them() -> None:
    timing = adder()
    assert samples_at_once(timing, 2**20) < 4000 < samples_at_once(timing, 2**24)
    runs = [
        sample_timing(np, timing, Sampling(0.05, 0.05, 5000, seed), memory_bytes=2**20) for seed in (3, 3, 4)
    ]
    assert (runs[0].latest_ns == runs[1].latest_ns).all()
    assert (runs[0].latest_ns != runs[2].latest_ns).any()
    assert len(runs[0].latest_ns) == 5000


def test_wilson_s_interval_of_a_textbook_case() -> None:
    """81 of 263: R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson_interval(20, 20)[1] == 1
