"""Corners and random samples of a SPICE campaign: which task simulates what; pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workloads.eda.spice_parameters import SpiceParameters


@dataclass(frozen=True, slots=True)
class Point:
    """One task: a process, voltage and temperature, and some of its samples."""

    index: int
    corner: str
    """A section of the model library; empty for none."""
    voltage: float
    temperature: float
    first_sample: int
    samples: int
    is_whole: bool
    """Whether these are all samples of the corner."""

    @property
    def row(self) -> str:
        """Its row in the matrix: `ss 1.08 V`."""
        return f"{self.corner} {self.voltage:g} V".strip()

    @property
    def column(self) -> str:
        """Its column in the matrix: `125 °C`, with the samples where a corner has several tasks."""
        samples = "" if self.is_whole else f" #{self.first_sample}-{self.first_sample + self.samples - 1}"
        return f"{self.temperature:g} °C{samples}"

    @property
    def place(self) -> str:
        """The corner without its samples."""
        return f"{self.row}, {self.temperature:g} °C"


def points(params: SpiceParameters) -> list[Point]:
    """Every task, in the order of its index: corners, voltages, temperatures, then samples."""
    each = min(params.samples, params.samples_per_task)
    chunks = [(first, min(each, params.samples - first + 1)) for first in range(1, params.samples + 1, each)]
    found = [
        (corner, voltage, temperature, first, samples, len(chunks) == 1)
        for corner in (params.corners or [""])
        for voltage in params.voltages
        for temperature in params.temperatures
        for first, samples in chunks
    ]
    return [Point(index, *values) for index, values in enumerate(found)]


def count_points(params: SpiceParameters) -> int:
    """How many tasks there are, without making them."""
    chunks = -(-params.samples // min(params.samples, params.samples_per_task))
    return max(len(params.corners), 1) * len(params.voltages) * len(params.temperatures) * chunks


def sample_lines(params: SpiceParameters) -> Iterator[str]:
    """`SAMPLE NAME=VALUE NAME=VALUE` for every sample.

    Each value has a random stream of its own, named by seed, sample and parameter: adding samples or
    parameters changes no other value.
    """
    for sample in range(1, params.samples + 1):
        values = (f"{name}={value:.9g}" for name, value in _draw(params, sample))
        yield " ".join((str(sample), *values))


def _draw(params: SpiceParameters, sample: int) -> Sequence[tuple[str, float]]:
    drawn = []
    for variation in params.variations:
        name, _, rest = variation.partition("=")
        mean, _, sigma = rest.partition(":")
        stream = random.Random(f"{params.seed} {sample} {name}")  # noqa: S311 - statistics, no secret
        drawn.append((name, stream.gauss(float(mean), float(sigma))))
    return drawn
