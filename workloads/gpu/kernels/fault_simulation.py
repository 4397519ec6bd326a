"""Stuck-at fault simulation: 64 patterns in a word, many faults side by side, detected ones dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from workloads.gpu.kernels.array_module import Array, to_host
from workloads.gpu.kernels.faults import Fault
from workloads.gpu.kernels.gate_values import gate_value
from workloads.gpu.kernels.logic import Circuit
from workloads.gpu.kernels.netlist import ONE, ZERO

BITS = 64
_FIRST_BLOCK_WORDS = 4
"""Short blocks first: most faults are seen, and dropped, within a few hundred patterns."""
_LARGEST_BLOCK_WORDS = 256
_GPU_WORDS = 2**20
"""So many at once keep a GPU busy; fewer take it as long."""


def random_patterns(circuit: Circuit, patterns: int, seed: int) -> "np.ndarray[Any, Any]":
    """(inputs, words) of uint64; all 2^inputs patterns instead, when these are not more.

    Drawn by NumPy for every backend, so that all of them give equal results. The number of patterns is
    rounded up to whole words.
    """
    inputs = len(circuit.inputs)
    words = -(-patterns // BITS)
    if inputs < BITS and 2**inputs <= words * BITS:
        numbers = np.arange(max(2**inputs, BITS), dtype=np.uint64) % np.uint64(2**inputs)
        places = np.arange(inputs, dtype=np.uint64)[:, None]
        bits = (numbers[None, :] >> places & np.uint64(1)).astype(np.uint8)
        return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    return np.random.default_rng(seed).integers(0, 2**64, size=(inputs, words), dtype=np.uint64)


def simulate_good(xp: ModuleType, circuit: Circuit, patterns: Array) -> dict[str, Array]:
    """The value of every net without a fault; (words,) each."""
    values = dict(zip(circuit.inputs, patterns, strict=True))
    values[ZERO], values[ONE] = xp.zeros_like(patterns[0]), ~xp.zeros_like(patterns[0])
    for gate in circuit.gates:
        values[gate.output] = gate_value(xp, gate.function, [values[net] for net in gate.inputs])
    return values


def simulate_faults(
    xp: ModuleType,
    circuit: Circuit,
    faults: Sequence[Fault],
    patterns: "np.ndarray[Any, Any]",
    *,
    memory_bytes: int,
) -> list[int | None]:
    """Of each fault: the first pattern that shows it at an observed net; None when none does."""
    found: list[int | None] = [None] * len(faults)
    left = list(range(len(faults)))
    nets = len(circuit.inputs) + len(circuit.gates)
    words, stop, dropping = patterns.shape[1], 0, _FIRST_BLOCK_WORDS
    while left and stop < words:
        at_least = _filling_words(xp, len(left), nets, memory_bytes)
        start, stop = stop, min(words, stop + max(dropping, at_least))
        dropping = min(4 * dropping, _LARGEST_BLOCK_WORDS)
        block = xp.asarray(patterns[:, start:stop])
        good = simulate_good(xp, circuit, block)
        at_once = max(1, memory_bytes // (nets * (stop - start) * 8))
        for first in range(0, len(left), at_once):
            chosen = left[first : first + at_once]
            seen = to_host(_differences(xp, circuit, [faults[index] for index in chosen], good, stop - start))
            for index, row in zip(chosen, seen, strict=True):
                word = int((row != 0).argmax())
                if row[word]:
                    found[index] = (start + word) * BITS + (int(row[word]) & -int(row[word])).bit_length() - 1
        left = [index for index in left if found[index] is None]
    return found


def _filling_words(xp: ModuleType, faults: int, nets: int, memory_bytes: int) -> int:
    """How many words of patterns at least: of a GPU, so many that these faults keep it busy."""
    if xp is np:
        return 1
    return max(1, min(_GPU_WORDS // faults, memory_bytes // (2 * nets * 8)))


@dataclass(frozen=True)
class _Injections:
    """Rows of faults to force: by net, and by (gate, input)."""

    stems: dict[str, list[tuple[int, int]]]
    branches: dict[int, dict[int, list[tuple[int, int]]]]

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> "_Injections":
        made = cls({}, {})
        for row, fault in enumerate(faults):
            if fault.gate < 0:
                made.stems.setdefault(fault.net, []).append((row, fault.value))
            else:
                by_place = made.branches.setdefault(fault.gate, {})
                by_place.setdefault(fault.place, []).append((row, fault.value))
        return made


def _differences(
    xp: ModuleType, circuit: Circuit, faults: Sequence[Fault], good: dict[str, Array], words: int
) -> Array:
    """(faults, words): the patterns for which an observed net differs from the good circuit."""
    shape = (len(faults), words)
    inject = _Injections.of(faults)
    disturbed: dict[str, Array] = {}
    for net in circuit.inputs:
        if net in inject.stems:
            disturbed[net] = _forced(xp, good[net], shape, inject.stems[net])
    for index, gate in enumerate(circuit.gates):
        branches = inject.branches.get(index, {})
        if branches or any(net in disturbed for net in gate.inputs):
            values = [disturbed.get(net, good[net]) for net in gate.inputs]
            for place, rows in branches.items():
                values[place] = _forced(xp, values[place], shape, rows)
            disturbed[gate.output] = gate_value(xp, gate.function, values)
        if gate.output in inject.stems:
            value = disturbed.get(gate.output, good[gate.output])
            disturbed[gate.output] = _forced(xp, value, shape, inject.stems[gate.output])
    seen = xp.zeros(shape, dtype=xp.uint64)
    for net in circuit.observed:
        if net in disturbed:
            seen |= disturbed[net] ^ good[net]
    return seen


def _forced(xp: ModuleType, value: Array, shape: tuple[int, int], rows: Sequence[tuple[int, int]]) -> Array:
    forced = xp.array(xp.broadcast_to(value, shape))
    for wanted in (0, 1):
        chosen = [row for row, stuck in rows if stuck == wanted]
        if chosen:
            forced[xp.asarray(chosen)] = xp.uint64(2**64 - 1 if wanted else 0)
    return forced
