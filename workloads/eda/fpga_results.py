"""What each placement seed achieved: use of the part, the frequency of every clock, the bit-stream."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workloads.campaign import summary
from workloads.eda.fpga_parameters import FpgaParameters
from workloads.eda.task_facts import count, ended_tasks, failure, missing_tool, number, present, read_facts
from workloads.template import N_, Artefact, Column, Failure, Metric, Results, Table, TaskResult, Verdict
from workloads.workspace import read_text

_BEST = "bitstreams/best.bin"
_LARGEST_REPORT_BYTES = 32 * 1024**2
_MOST_CLOCKS = 50
_MOST_KINDS = 50
_MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Clock:
    """What a clock reached after routing, and what was asked of it; both in MHz."""

    name: str
    achieved: float
    asked: float

    @property
    def margin(self) -> float:
        """Below 1 the clock is too slow."""
        return self.achieved / self.asked


@dataclass(frozen=True, slots=True)
class Placed:
    """A seed that has ended."""

    seed: int
    result: TaskResult
    clocks: tuple[Clock, ...]
    used: Mapping[str, tuple[int, int]]
    """By kind of nextpnr, such as ICESTORM_LC: how many are used, how many there are."""

    score: float
    """The margin of its slowest clock as the task itself ranks it; -inf when no clock was timed."""


def read_results(workspace: Path, params: FpgaParameters) -> Results:
    """Everything that the ended tasks left behind."""
    found = [
        _placed(workspace, index, facts, params)
        for index in ended_tasks(workspace, range(params.seeds))
        if (facts := read_facts(workspace, index))
    ]
    ranked = sorted(found, key=lambda one: -one.score)
    best = ranked[0] if ranked and ranked[0].clocks else None
    results = tuple(_with_best(one.result) if one is best else one.result for one in found)
    return Results(
        tasks=results,
        metrics=(*summary(results), *(_best(best) if best else ())),
        tables=(*_clocks(ranked), *_use(ranked)),
    )


def _placed(workspace: Path, index: int, facts: Mapping[str, str], params: FpgaParameters) -> Placed:
    seed = params.first_seed + index
    label = f"seed {seed}"
    if missing := missing_tool(facts, index, label):
        return Placed(seed, missing, (), {}, -math.inf)
    report = _read_report(workspace, index)
    clocks, used = _read_clocks(report), _read_use(report)
    log = f"logs/place-{index}.log"
    verdict, why = Verdict.PASS, None
    if count(facts, "exit_code") != 0:
        verdict, why = Verdict.FAIL, failure(facts, otherwise="the task ended without a reason", file=log)
        if "missed" in facts and clocks:
            slowest = min(clocks, key=lambda clock: clock.margin)
            why = replace(why, signature=f"clock {slowest.name[:200]} misses its target")
    elif doubt := _implausible(clocks, used, facts):
        verdict, why = Verdict.NO_VERDICT, Failure(f"no verdict: {doubt}", doubt, log, 0)
    result = TaskResult(
        task_index=index,
        label=label,
        verdict=verdict,
        metrics=_metrics(facts, clocks, used),
        failure=why,
        artefacts=_artefacts(workspace, index),
    )
    score = number(facts.get("score"))
    is_timed = bool(clocks) and score is not None and verdict is not Verdict.NO_VERDICT
    return Placed(seed, result, clocks if is_timed else (), used, score if is_timed and score else -math.inf)


def _with_best(result: TaskResult) -> TaskResult:
    """The task that made what the others were beaten by."""
    return replace(result, artefacts=(Artefact(_BEST, "bitstream"), *result.artefacts))


def _read_report(workspace: Path, index: int) -> Mapping[str, Any]:
    text = read_text(workspace, f"bitstreams/{index}.json", max_bytes=_LARGEST_REPORT_BYTES)
    try:
        report = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, Mapping) else {}


def _pairs(report: Mapping[str, Any], key: str, first: str, second: str) -> dict[str, tuple[float, float]]:
    """Two numbers of each entry of an object: {} for whatever nextpnr would not write."""
    table = report.get(key)
    if not isinstance(table, Mapping):
        return {}
    found = {}
    for name, entry in table.items():
        if isinstance(entry, Mapping):
            one, other = (number(str(entry.get(part))) for part in (first, second))
            if one is not None and other is not None:
                found[name[:200]] = (one, other)
    return found


def _read_clocks(report: Mapping[str, Any]) -> tuple[Clock, ...]:
    pairs = _pairs(report, "fmax", "achieved", "constraint")
    clocks = [Clock(_plain(name), *pair) for name, pair in pairs.items() if min(pair) > 0]
    return tuple(clocks[:_MOST_CLOCKS])


def _plain(name: str) -> str:
    """`clk` for clk$SB_IO_IN_$glb_clk: what the packer adds says nothing to people."""
    return name.removesuffix("$glb_clk").rstrip("_").removesuffix("$SB_IO_IN").removesuffix("$") or name


def _read_use(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    pairs = _pairs(report, "utilization", "used", "available")
    kinds = [(kind, (int(used), int(available))) for kind, (used, available) in pairs.items()]
    return dict(kinds[:_MOST_KINDS])


def _implausible(
    clocks: Sequence[Clock], used: Mapping[str, tuple[int, int]], facts: Mapping[str, str]
) -> str:
    """Why this cannot be the result of place and route; empty when it can."""
    if "ICESTORM_LC" not in used:
        return "the use of the part is missing"
    if any(not 0 <= one <= available for one, available in used.values()):
        return "more is used than the part has"
    if count(facts, "registers") and not clocks:
        return "there are registers, but no clock was timed"
    return ""


_KINDS = (
    ("ICESTORM_LC", "logic_cells"),
    ("ICESTORM_RAM", "block_rams"),
    ("SB_IO", "pins"),
    ("SB_GB", "global_buffers"),
    ("ICESTORM_PLL", "plls"),
    ("ICESTORM_DSP", "multipliers"),
    ("ICESTORM_SPRAM", "large_rams"),
)
"""nextpnr's kind, ours. A logic cell holds one LUT and one register."""


def _metrics(
    facts: Mapping[str, str], clocks: Sequence[Clock], used: Mapping[str, tuple[int, int]]
) -> tuple[Metric, ...]:
    cells = {name: value for name in ("luts", "registers") if (value := count(facts, name)) is not None}
    estimate = number(facts.get("icetime_ns"))
    return (
        *(Metric(f"fmax__clock:{clock.name}", clock.achieved, "MHz") for clock in clocks),
        *(Metric(f"margin__clock:{clock.name}", clock.margin) for clock in clocks),
        *(Metric(f"{name}__used", value) for name, value in cells.items()),
        *(
            Metric(f"{name}__{part}", value)
            for kind, name in _KINDS
            if kind in used
            for part, value in zip(("used", "available"), used[kind], strict=True)
        ),
        *([Metric("icetime__longest_path", estimate, "ns")] if estimate else []),
    )


def _best(best: Placed) -> tuple[Metric, ...]:
    slowest = min(best.clocks, key=lambda clock: clock.margin)
    return (
        Metric("best__seed", best.seed),
        Metric("best__fmax", slowest.achieved, "MHz"),
        Metric("best__margin", slowest.margin),
    )


def _artefacts(workspace: Path, index: int) -> tuple[Artefact, ...]:
    names = {f"{index}.bin": "bitstream", f"{index}.json": "report"}
    logs = {f"place-{index}.log": "log", f"icetime-{index}.txt": "report", "synthesis.log": "log"}
    return (*present(workspace, "bitstreams", names), *present(workspace, "logs", logs))


def _clocks(ranked: Sequence[Placed]) -> tuple[Table, ...]:
    """A row for each seed and clock, the best seed first."""
    columns = (
        Column(N_("Seed")),
        Column(N_("Clock")),
        Column(N_("Achieved"), "MHz"),
        Column(N_("Target frequency"), "MHz"),
        Column(N_("Result")),
    )
    rows = [
        (one.seed, clock.name, clock.achieved, clock.asked, "PASS" if clock.margin >= 1 else "FAIL")
        for one in ranked
        for clock in one.clocks
    ]
    return (
        (Table(N_("Clocks"), columns, tuple(rows[:_MOST_ROWS]), is_cut=len(rows) > _MOST_ROWS),)
        if rows
        else ()
    )


def _use(ranked: Sequence[Placed]) -> tuple[Table, ...]:
    """Of the best seed; others differ by a few cells that the router needs."""
    used = next((one.used for one in ranked if one.used), {})
    columns = (Column(N_("Resource")), Column(N_("Used")), Column(N_("Total")), Column(N_("Share"), "%"))
    rows = tuple(
        (kind, one, available, 100 * one / available) for kind, (one, available) in used.items() if available
    )
    return (Table(N_("Device utilisation"), columns, rows),) if rows else ()
