"""What rtl_task.sh wrote down of each task, read back: verdict, metrics, the first failing line, files."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from workloads.eda.task_facts import count, missing_tool, number, read_facts
from workloads.regression.plan import Plan, Run
from workloads.template import Artefact, Failure, Metric, TaskResult, Verdict
from workloads.verdict import judge, signature
from workloads.workspace import list_files

_STATISTIC = re.compile(r"\b([A-Za-z]\w{0,63})=(-?\d{1,18}(?:\.\d{1,18})?)(?!\S)")
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_STATISTICS = 32
RESULTS = "regression/results"
"""The folder of the facts, one file a task."""


def read_tasks(
    workspace: Path, plan: Plan, indices: Iterable[int], *, waves: bool = False
) -> Iterator[TaskResult]:
    """A result for each of these tasks that has ended by itself; a task that was killed left none.

    `waves`: whether tasks may have left waveforms.
    """
    waveforms = frozenset(list_files(workspace, "waves")) if waves else frozenset()
    for index in indices:
        if facts := read_facts(workspace, index, RESULTS):
            yield _task_result(plan, plan.run(index), facts, waveforms)


def _task_result(plan: Plan, run: Run, facts: dict[str, str], waveforms: Collection[str]) -> TaskResult:
    row = plan.row(run)
    stem = f"{row.replace('/', '.')}-{run.seed}"
    label = f"{row} seed {run.seed}"
    if missing := missing_tool(facts, run.task_index, label, RESULTS):
        return missing
    built = facts.get("stage") != "build"
    log = f"logs/{stem}.log" if built else f"build/{run.configuration}/build.log"
    artefacts = [Artefact(log, "log")]
    if built and f"{stem}.fst" in waveforms:
        artefacts.append(Artefact(f"waves/{stem}.fst", "waveform"))
    verdict = judge(
        exit_code=int(facts["exit_code"]),
        fail_line=facts.get("fail_line"),
        pass_seen=facts.get("pass_seen") == "yes",
    )
    build = facts.get("build", "")
    return TaskResult(
        task_index=run.task_index,
        label=label,
        verdict=verdict,
        metrics=_metrics(facts) if built else (),
        failure=None if verdict is Verdict.PASS else _failure(facts, log, verdict),
        artefacts=tuple(artefacts),
        build=build if _HASH.fullmatch(build) else "",
    )


def _failure(facts: dict[str, str], file: str, verdict: Verdict) -> Failure:
    line = facts.get("fail_line")
    last = facts.get("last_line", "")
    if line is not None:
        prefix = "build failed: " if facts.get("stage") == "build" else ""
        cause = f"AssertionError: {facts['fail_source']}" if "fail_source" in facts else line
        return Failure(prefix + signature(cause), line, file, count(facts, "fail_line_number") or 0)
    if count(facts, "timed_out_seconds"):
        return Failure("the simulation passed its time limit", last, file, 0)
    if verdict is Verdict.NO_VERDICT and "cocotb_passed" in facts:
        return Failure("no verdict: no cocotb test ran", last, file, 0)
    if verdict is Verdict.NO_VERDICT:
        return Failure("no verdict: a pass text is missing", last, file, 0)
    return Failure(f"the simulator ended with exit code {facts['exit_code']}", last, file, 0)


def _metrics(facts: dict[str, str]) -> tuple[Metric, ...]:
    elapsed, points = count(facts, "microseconds"), count(facts, "coverage_points")
    tests = ("cocotb_passed", "cocotb_failed", "cocotb_skipped")
    simulated = number(facts.get("simulated_ns"))
    return (
        *statistics(facts.get("statistics", "")),
        *([] if elapsed is None else [Metric("wall_seconds", elapsed / 1e6, "s")]),
        *([] if points is None else [Metric("coverage_points", points)]),
        *(Metric(name, value) for name in tests if (value := count(facts, name)) is not None),
        *([] if simulated is None else [Metric("simulated_ns", simulated, "ns")]),
    )


def statistics(line: str) -> list[Metric]:
    """The numbers of a line that a bench printed, such as `TB_STAT cycles=40 grants=38`."""
    found = _STATISTIC.findall(line)[:_MOST_STATISTICS]
    return [Metric(name, float(value)) for name, value in found]
