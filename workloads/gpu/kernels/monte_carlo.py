"""Monte-Carlo statistical timing: the arrival of every net in many samples at once, level by level.

A stage's delay in a sample is nominal x (1 + global sigma x G + local sigma x L) with independent standard
normals, G common to the die and L of the stage's own; a factor below 0 counts as 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from workloads.gpu.kernels.array_module import Array, to_host
from workloads.gpu.kernels.timing_graph import NEVER, START, TimingGraph

_BYTES = 4
"""Samples are float32: rounding is far below the sampling error, and the traffic is half."""
_LEAST_SAMPLES_AT_ONCE = 32
_THREADS = 256
_MOST_GRID_ROWS = 65_535
_SETTLE = r"""
extern "C" __global__ void settle(
    const float* arrival, float* settled, const long long* outputs, const long long* sources,
    const float* delays, const float* factors,
    long long stages, long long width, long long samples, long long next_factor)
{
    const long long sample = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (sample >= samples) return;
    for (long long stage = blockIdx.y; stage < stages; stage += gridDim.y) {
        const float factor = factors[stage * next_factor + sample];
        float latest = __int_as_float(0xff800000);  // minus infinity
        for (long long place = stage; place < width * stages; place += stages)
            latest = fmaxf(latest, arrival[sources[place] * samples + sample] + delays[place] * factor);
        settled[outputs[stage] * samples + sample] = latest;
    }
}
"""
"""A thread is a sample: neighbours read neighbouring words."""


@dataclass(frozen=True)
class Sampling:
    """What is drawn: standard deviations are shares of the nominal delay."""

    global_sigma: float
    local_sigma: float
    samples: int
    seed: int


@dataclass(frozen=True)
class Sampled:
    """What the samples gave, in the host's memory."""

    latest_ns: "np.ndarray[Any, Any]"
    """Of each sample: when the latest endpoint has settled, set-up included."""
    is_latest: "np.ndarray[Any, Any]"
    """Of each endpoint: in how many samples it was the latest."""


def samples_at_once(graph: TimingGraph, memory_bytes: int) -> int:
    """How many samples fit into the memory with all that is computed about them."""
    widest = max(len(level.outputs) for level in graph.levels) if graph.levels else 0
    per_sample = _BYTES * (graph.nets + 3 * widest + 2 * len(graph.endpoints) + 4)
    return max(_LEAST_SAMPLES_AT_ONCE, memory_bytes // per_sample)


def sample_timing(xp: ModuleType, graph: TimingGraph, wanted: Sampling, *, memory_bytes: int) -> Sampled:
    """Equal arguments give equal results on one backend; NumPy and CuPy draw different normals."""
    resident = Resident.of(xp, graph)
    random = xp.random.default_rng(wanted.seed)
    latest, counts = [], np.zeros(len(graph.endpoints), dtype=np.int64)
    at_once = samples_at_once(graph, memory_bytes)
    for start in range(0, wanted.samples, at_once):
        count = min(at_once, wanted.samples - start)
        common = random.standard_normal((count,), dtype=xp.float32)
        factors = (
            _factors(xp, wanted, common, random.standard_normal(shape, dtype=xp.float32))
            for shape in ((len(level.outputs), count) for level in resident.levels)
        )
        ends = endpoint_arrivals(xp, resident, factors, count)
        counts += to_host(xp.bincount(ends.argmax(axis=0), minlength=len(graph.endpoints)))
        latest.append(to_host(ends.max(axis=0)))
    return Sampled(np.concatenate(latest), counts)


@dataclass(frozen=True)
class ResidentLevel:
    """A level's arrays where the kernel runs."""

    outputs: Array
    """(stages,)"""
    sources: Array
    """(width, stages)"""
    delays: Array
    """(width, stages, 1), ns."""


@dataclass(frozen=True)
class Resident:
    """A timing graph where the kernel runs."""

    nets: int
    levels: tuple[ResidentLevel, ...]
    ends: Array
    setups: Array
    """(endpoints, 1), ns."""

    @classmethod
    def of(cls, xp: ModuleType, graph: TimingGraph) -> "Resident":
        """Copied to the device once, before the samples."""
        return cls(
            nets=graph.nets,
            levels=tuple(
                ResidentLevel(
                    outputs=xp.asarray(level.outputs, dtype=xp.int64),
                    sources=xp.ascontiguousarray(xp.asarray(level.sources, dtype=xp.int64).T),
                    delays=xp.ascontiguousarray(xp.asarray(level.delays_ns, dtype=xp.float32).T)[:, :, None],
                )
                for level in graph.levels
            ),
            ends=xp.asarray([one.net for one in graph.endpoints], dtype=xp.int64),
            setups=xp.asarray([one.setup_ns for one in graph.endpoints], dtype=xp.float32)[:, None],
        )


def endpoint_arrivals(xp: ModuleType, graph: Resident, factors: Iterator[Array], samples: int) -> Array:
    """(endpoints, samples) arrivals with set-up, in ns; `factors`: one (stages, samples) a level."""
    arrival = xp.empty((graph.nets, samples), dtype=xp.float32)
    arrival[NEVER] = -xp.inf
    arrival[START] = 0
    if hasattr(xp, "RawKernel"):
        return _arrivals_fused(xp, graph, factors, arrival)
    for level, factor in zip(graph.levels, factors, strict=True):
        _settle(xp, level, factor, arrival)
    return arrival[graph.ends] + graph.setups


def _settle(xp: ModuleType, level: ResidentLevel, factor: Array, arrival: Array) -> None:
    """Write when the level's outputs settle."""
    best = arrival[level.sources[0]]
    best += level.delays[0] * factor
    for sources, delays in zip(level.sources[1:], level.delays[1:], strict=True):
        through = arrival[sources]
        through += delays * factor
        xp.maximum(best, through, out=best)
    arrival[level.outputs] = best


def _arrivals_fused(xp: ModuleType, graph: Resident, factors: Iterator[Array], arrival: Array) -> Array:
    """The same with one kernel for each level: nothing between goes through memory."""
    samples = arrival.shape[1]
    for level, factor in zip(graph.levels, factors, strict=True):
        _settle_fused(xp, level, factor, arrival, arrival)
    count = len(graph.ends)
    last = ResidentLevel(xp.arange(count, dtype=xp.int64), graph.ends[None], graph.setups[None])
    ended = xp.empty((count, samples), dtype=xp.float32)
    _settle_fused(xp, last, xp.ones((1, samples), dtype=xp.float32), arrival, ended)
    return ended


def _settle_fused(
    xp: ModuleType, level: ResidentLevel, factor: Array, arrival: Array, settled: Array
) -> None:
    """One factor for all stages, (1, samples), will do."""
    (width, stages), (factors, samples) = level.sources.shape, factor.shape
    grid = (-(-samples // _THREADS), min(stages, _MOST_GRID_ROWS))
    arrays = (arrival, settled, level.outputs, level.sources, level.delays, factor)
    sizes = map(xp.int64, (stages, width, samples, samples if factors > 1 else 0))
    _settle_kernel(xp)(grid, (_THREADS,), (*arrays, *sizes))


@cache
def _settle_kernel(xp: ModuleType) -> Any:  # noqa: ANN401 - CuPy's
    return xp.RawKernel(_SETTLE, "settle")


def _factors(xp: ModuleType, wanted: Sampling, common: Array, own: Array) -> Array:
    """Written over `own`."""
    if hasattr(xp, "ElementwiseKernel"):
        return _factor_kernel(xp)(own, common, wanted.local_sigma, wanted.global_sigma, own)
    own *= xp.float32(wanted.local_sigma)
    own += common * xp.float32(wanted.global_sigma) + xp.float32(1)
    return xp.maximum(own, 0, out=own)


@cache
def _factor_kernel(xp: ModuleType) -> Any:  # noqa: ANN401 - CuPy's
    given = "float32 own, float32 common, float32 local_sigma, float32 global_sigma"
    once = "factor = max(0.0f, 1.0f + global_sigma * common + local_sigma * own)"
    return xp.ElementwiseKernel(given, "float32 factor", once, "delay_factor")
