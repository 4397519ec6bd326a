"""What a SPICE campaign measured: valid samples against their limits, statistics and yield by corner."""

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.campaign import summary
from workloads.eda.spice_limits import Measure, read_limit
from workloads.eda.spice_parameters import SpiceParameters
from workloads.eda.spice_points import Point, points
from workloads.eda.task_facts import (
    count,
    ended_tasks,
    failure,
    missing_tool,
    number,
    present,
    read_facts,
)
from workloads.eda.yield_estimate import wilson_interval
from workloads.template import N_, Column, Failure, Metric, Results, Series, Table, TaskResult, Verdict
from workloads.workspace import read_text

_LARGEST_MEASURES_BYTES = 8 * 1024**2
_MOST_ROWS = 1000
_MOST_CURVES = 6
_LINE = re.compile(r"([0-9]{1,9}) (\S{1,64}) (\S{1,40})")


@dataclass(frozen=True, slots=True)
class Sample:
    """One simulation: its measures, or why they mean nothing."""

    values: Mapping[str, float]
    """By measure; empty when invalid."""
    invalid: str = ""
    out_of_limits: str = ""
    """The first limit that it misses: `period is above 3e-10`."""

    @property
    def is_good(self) -> bool:
        """Valid and within all limits."""
        return not self.invalid and not self.out_of_limits


@dataclass(frozen=True, slots=True)
class Measured:
    """A task that has ended, with its samples."""

    point: Point
    samples: tuple[Sample, ...]
    result: TaskResult


def read_results(workspace: Path, params: SpiceParameters) -> Results:
    """Everything that the ended tasks left behind."""
    tasks = points(params)
    found = [
        _measured(workspace, tasks[index], facts, params)
        for index in ended_tasks(workspace, range(len(tasks)))
        if (facts := read_facts(workspace, index))
    ]
    results = tuple(one.result for one in found)
    measures = [read_limit(text) for text in params.measures]
    corners = _by_corner(found)
    is_statistical = params.samples > 1
    return Results(
        tasks=results,
        metrics=(*summary(results), *_metrics(measures, corners, is_statistical=is_statistical)),
        series=tuple(_curves(measures, corners)) if is_statistical else (),
        tables=_statistics(measures, corners) if is_statistical else _corners(measures, corners),
    )


def read_sample(
    values: Mapping[str, str], measures: Sequence[Measure], validity: Sequence[Measure]
) -> Sample:
    """What the measures of one simulation say; `values` as ngspice printed them, with its exit code."""
    if values.get("exit_code") != "0":
        return Sample({}, invalid=f"ngspice ended with exit code {values.get('exit_code', '')}".strip())
    numbers: dict[str, float] = {}
    for measure in (*validity, *measures):
        value = number(values.get(measure.name))
        if value is None:
            return Sample({}, invalid=f"{measure.name} could not be measured")
        numbers[measure.name] = value
    for measure in validity:
        if not measure.accepts(numbers[measure.name]):
            return Sample({}, invalid=f"{measure.name} is not within {measure.bounds}")
    missed = next((one for one in measures if not one.accepts(numbers[one.name])), None)
    return Sample(numbers, out_of_limits=f"{missed.name} is not within {missed.bounds}" if missed else "")


def _measured(workspace: Path, point: Point, facts: Mapping[str, str], params: SpiceParameters) -> Measured:
    label = f"{point.row}, {point.column}"
    if missing := missing_tool(facts, point.index, label):
        return Measured(point, (), missing)
    measures, validity = (
        [read_limit(text) for text in texts] for texts in (params.measures, params.validity)
    )
    raw = _read_samples(workspace, point.index)
    numbered = range(point.first_sample, point.first_sample + point.samples)
    samples = tuple(read_sample(raw.get(sample, {}), measures, validity) for sample in numbered)
    log = f"logs/spice-{point.index}.log"
    verdict, why = _judge(samples, facts, params.target_yield, log)
    result = TaskResult(
        task_index=point.index,
        label=label,
        verdict=verdict,
        metrics=_task_metrics(measures, samples),
        failure=why,
        artefacts=(
            *present(workspace, "logs", {f"spice-{point.index}.log": "log"}),
            *present(workspace, "measures", {f"{point.index}.txt": "report"}),
        ),
    )
    return Measured(point, samples, result)


def _read_samples(workspace: Path, index: int) -> dict[int, dict[str, str]]:
    """What was measured, by sample and name."""
    text = read_text(workspace, f"measures/{index}.txt", max_bytes=_LARGEST_MEASURES_BYTES) or ""
    found: dict[int, dict[str, str]] = {}
    for line in text.split("\n"):
        if match := _LINE.fullmatch(line):
            found.setdefault(int(match[1]), {})[match[2]] = match[3]
    return found


def _judge(
    samples: Sequence[Sample], facts: Mapping[str, str], target_yield: float, log: str
) -> tuple[Verdict, Failure | None]:
    """FAIL when ngspice failed or too many valid samples miss a limit; else invalid ones decide."""
    if count(facts, "exit_code") != 0:
        return Verdict.FAIL, failure(facts, otherwise="ngspice failed", file=log)
    needed = target_yield * len(samples)
    if sum(sample.is_good for sample in samples) >= needed:
        return Verdict.PASS, None
    missed = [sample.out_of_limits for sample in samples if sample.out_of_limits]
    if len(samples) - len(missed) < needed:
        most = statistics.mode(missed)
        return Verdict.FAIL, Failure(most, f"{len(missed)} of {len(samples)}: {most}", log, 0)
    invalid = statistics.mode(sample.invalid for sample in samples if sample.invalid)
    where = failure(facts, otherwise=invalid, file=log)
    return Verdict.NO_VERDICT, Failure(f"invalid: {invalid}", where.line, where.file, where.line_number)


def _task_metrics(measures: Sequence[Measure], samples: Sequence[Sample]) -> tuple[Metric, ...]:
    """Measures of a single sample; means of several, with the part that is good."""
    means = _means(measures, samples)
    if len(samples) == 1:
        return means
    good = sum(sample.is_good for sample in samples)
    return (*means, Metric("yield_rate", good / len(samples)))


def _means(measures: Sequence[Measure], samples: Sequence[Sample]) -> tuple[Metric, ...]:
    valid = [sample.values for sample in samples if not sample.invalid]
    if not valid:
        return ()
    return tuple(
        Metric(one.name, statistics.fmean(values[one.name] for values in valid), one.unit) for one in measures
    )


Corners = Mapping[str, Sequence[Sample]]
"""All samples of each corner, by its name."""


def _by_corner(found: Sequence[Measured]) -> Corners:
    corners: dict[str, list[Sample]] = {}
    for one in found:
        corners.setdefault(one.point.place, []).extend(one.samples)
    return {place: samples for place, samples in corners.items() if samples}


def _metrics(measures: Sequence[Measure], corners: Corners, *, is_statistical: bool) -> Iterator[Metric]:
    """The range of each measure over the valid samples of all corners, and the yield of the worst corner."""
    for measure in measures:
        values = [
            sample.values[measure.name]
            for samples in corners.values()
            for sample in samples
            if not sample.invalid
        ]
        if values:
            yield Metric(f"{measure.name}__min", min(values), measure.unit)
            yield Metric(f"{measure.name}__max", max(values), measure.unit)
    invalid = sum(bool(sample.invalid) for samples in corners.values() for sample in samples)
    if corners:
        yield Metric("invalid__count", invalid)
    if corners and is_statistical:
        good, total = min(map(_good_of, corners.values()), key=lambda pair: pair[0] / pair[1])
        low, high = wilson_interval(good, total)
        yield Metric("worst_yield_rate", good / total)
        yield Metric("worst_yield_low_rate", low)
        yield Metric("worst_yield_high_rate", high)


def _good_of(samples: Sequence[Sample]) -> tuple[int, int]:
    """How many are valid and within limits, of how many: an invalid sample is not a good one."""
    return sum(sample.is_good for sample in samples), len(samples)


def _corners(measures: Sequence[Measure], corners: Corners) -> tuple[Table, ...]:
    columns = (Column(N_("Corner")), *(Column(one.name, one.unit) for one in measures))
    rows = tuple(
        (place, *(samples[0].values.get(one.name) for one in measures)) for place, samples in corners.items()
    )
    return _table(N_("Measures by corner"), columns, rows)


def _statistics(measures: Sequence[Measure], corners: Corners) -> tuple[Table, ...]:
    yields = tuple(_yield_row(place, samples) for place, samples in corners.items())
    columns = (
        Column(N_("Corner")),
        Column(N_("Samples")),
        Column(N_("Invalid")),
        Column(N_("Within limits")),
        Column(N_("Yield"), "%"),
        Column(N_("Yield, 95 % from"), "%"),
        Column(N_("Yield, 95 % to"), "%"),
    )
    spread = (
        Column(N_("Corner")),
        Column(N_("Measure")),
        Column(N_("Mean")),
        Column(N_("Standard deviation")),
        Column(N_("Minimum")),
        Column(N_("Maximum")),
        Column(N_("Unit")),
    )
    rows = tuple(
        (place, measure.name, *_spread(samples, measure), measure.unit)
        for place, samples in corners.items()
        for measure in measures
    )
    return (*_table(N_("Yield by corner"), columns, yields), *_table(N_("Spread by corner"), spread, rows))


def _yield_row(place: str, samples: Sequence[Sample]) -> tuple[str | float | None, ...]:
    good, total = _good_of(samples)
    invalid = sum(bool(sample.invalid) for sample in samples)
    low, high = wilson_interval(good, total)
    return place, total, invalid, good, 100 * good / total, 100 * low, 100 * high


def _spread(samples: Sequence[Sample], measure: Measure) -> tuple[float | None, ...]:
    """Mean, sample standard deviation, least and greatest of the valid samples."""
    values = [sample.values[measure.name] for sample in samples if not sample.invalid]
    if not values:
        return None, None, None, None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), deviation, min(values), max(values)


def _table(
    title: str, columns: tuple[Column, ...], rows: tuple[tuple[str | float | None, ...], ...]
) -> tuple[Table, ...]:
    return (Table(title, columns, rows[:_MOST_ROWS], is_cut=len(rows) > _MOST_ROWS),) if rows else ()


def _curves(measures: Sequence[Measure], corners: Corners) -> Iterator[Series]:
    """Quantiles: below which value which part of the valid samples lies."""
    curves = [(place, samples, measure) for place, samples in corners.items() for measure in measures]
    for place, samples, measure in curves[:_MOST_CURVES]:
        values = sorted(sample.values[measure.name] for sample in samples if not sample.invalid)
        points = tuple(((rank + 1) / len(values), value) for rank, value in enumerate(values))
        yield Series(f"{measure.name}: {place}", "quantile", measure.unit, points)
