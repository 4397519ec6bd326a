"""What GHDL said of each run: failed assertions, counts by severity, how far simulated time came."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.campaign import summary
from workloads.eda.task_facts import count, ended_tasks, missing_tool, present, read_facts
from workloads.eda.vhdl_parameters import VhdlParameters
from workloads.regression.results import statistics
from workloads.template import Failure, Metric, Results, TaskResult, Verdict
from workloads.verdict import judge, signature

_HASH = re.compile(r"[0-9a-f]{64}")
_MESSAGE = re.compile(
    r"(?P<place>[^ :]+:[0-9]{1,7}):[0-9]{1,7}:(@[0-9]+[a-z]+:)?"
    r"(\((?P<kind>assertion|report) (?P<severity>\w+)\):)? ?(?P<text>.*)"
)
_UNSAID = "Assertion violation"
"""GHDL's words for an assertion that has none of its own: such are told apart by their place."""
_TIME = re.compile(r"([0-9]{1,18})(fs|ps|ns|us|ms|sec)")
_NANOSECONDS = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "sec": 1e9}


@dataclass(frozen=True, slots=True)
class Run:
    """One task."""

    index: int
    variant: str
    """Generics, `n=500 HAS_BUG=true`; empty for the bench's own."""
    seed: int


def read_results(
    workspace: Path, runs: Sequence[Run], indices: Iterable[int], params: VhdlParameters
) -> Results:
    """Everything that the ended tasks left behind."""
    tasks = tuple(
        _task_result(workspace, runs[index], facts, params)
        for index in ended_tasks(workspace, indices)
        if (facts := read_facts(workspace, index))
    )
    return Results(tasks=tasks, metrics=summary(tasks))


def _task_result(workspace: Path, run: Run, facts: Mapping[str, str], params: VhdlParameters) -> TaskResult:
    label = f"{run.variant or params.top} seed {run.seed}"
    if missing := missing_tool(facts, run.index, label):
        return missing
    was_run = "run_exit_code" in facts
    log = f"logs/run-{run.index}.log" if was_run else "logs/analysis.log"
    verdict = judge(
        exit_code=int(facts["exit_code"]) if facts["exit_code"] != "3" else 0,
        fail_line=facts.get("fail_line"),
        pass_seen=facts.get("pass_seen") == "yes",
    )
    build = facts.get("build", "")
    waves = {f"{run.index}.{form}": "waveform" for form in ("fst", "ghw")}
    return TaskResult(
        task_index=run.index,
        label=label,
        verdict=verdict,
        metrics=_metrics(facts),
        failure=None if verdict is Verdict.PASS else _failure(facts, log, verdict),
        artefacts=(
            *present(workspace, "logs", {log.removeprefix("logs/"): "log"}),
            *(present(workspace, "waves", waves) if params.waves != "none" else ()),
        ),
        build=build if _HASH.fullmatch(build) else "",
    )


def _failure(facts: Mapping[str, str], log: str, verdict: Verdict) -> Failure:
    line, last = facts.get("fail_line"), facts.get("last_line", "")
    if "timed_out" in facts:
        return Failure("the simulation passed its time limit", last, log, 0)
    if line is not None:
        prefix = "" if "run_exit_code" in facts else "analysis failed: "
        return Failure(prefix + cause(line), line, log, count(facts, "fail_line_number") or 0)
    if "stopped" in facts:
        return Failure("no verdict: the stop time came before a pass text", last, log, 0)
    if verdict is Verdict.NO_VERDICT:
        return Failure("no verdict: a pass text is missing", last, log, 0)
    return Failure(f"GHDL ended with exit code {facts['exit_code']}", last, log, 0)


def cause(line: str) -> str:
    """What failures of one cause have in common: the message, masked; its place where there is no message."""
    match = _MESSAGE.match(line)
    if match is None:
        return signature(line)
    severity = f"{match['kind']} {match['severity']}: " if match["kind"] else ""
    if match["text"].rstrip(".") == _UNSAID:
        return f"{match['place'].removeprefix('design/')}: {severity}{_UNSAID}"[:300]
    return signature(severity + match["text"])


def _metrics(facts: Mapping[str, str]) -> tuple[Metric, ...]:
    elapsed, ended = count(facts, "microseconds"), _TIME.fullmatch(facts.get("ended_at", ""))
    names = ("warnings", "errors", "failures")
    return (
        *statistics(facts.get("statistics", "")),
        *([] if elapsed is None else [Metric("wall_seconds", elapsed / 1e6, "s")]),
        *([Metric("simulated_ns", int(ended[1]) * _NANOSECONDS[ended[2]], "ns")] if ended else []),
        *(Metric(name, value) for name in names if (value := count(facts, name)) is not None),
    )
