"""A Python script with a Dask cluster of its own, made of what its job holds and ended with it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from schedulers.jobspec import InputFile, JobSpec, RequeuePolicy
from workloads.ai.own_program import (
    Argument,
    FilePath,
    FileText,
    ProgramPath,
    program_files,
    program_path,
    program_problem,
)
from workloads.curves import is_number, read_curves, read_metrics
from workloads.errors import FieldProblem, InvalidParameters
from workloads.resources import JobName, Resources
from workloads.scripts import shipped
from workloads.template import (
    N_,
    Artefact,
    Failure,
    Metric,
    Parameters,
    Results,
    TaskResult,
    Template,
    Verdict,
)
from workloads.verdict import signature
from workloads.workspace import list_files

EVENTS = "cluster.jsonl"
_EXAMPLE = ("zeta.py",)
_PROGRAMS = ("dask_cluster.py", "dask_key.py", "dask_script.py")
_LEAST_WORKER_MIB = 192
"""A worker takes about 100 MiB before it has computed anything."""
_MOST_EXIT_CODE, _MOST_SIGNAL = 255, 64
_MOST_LINES = 1024 * 1024
_SCRIPT = """#!/bin/bash
# exec, so that signals reach Python and not this shell.
exec python -u dask/dask_cluster.py dask/parameters.json
"""
_SETTINGS = {
    "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
    # Workers that cannot be started again must not leave the script waiting until its walltime.
    "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": "5 minutes",
    "DASK_LOGGING__DISTRIBUTED": "warning",
}


class DaskParameters(Parameters):
    """The script and the cluster that it gets."""

    name: JobName = "dask-cluster"
    files: dict[FilePath, FileText] = Field(
        default_factory=dict,
        max_length=200,
        title=N_("Program files"),
        description=N_("By path. Empty adds up a series on all workers and compares with what is known."),
        json_schema_extra={"widget": "files", "group": N_("Program")},
    )
    program: ProgramPath = Field(
        default="zeta.py",
        title=N_("Python script"),
        description=N_(
            "One of the files, or an absolute path on the nodes. It reaches its cluster by Client() of "
            "dask.distributed, without an address. What it writes to metrics.jsonl is drawn."
        ),
        json_schema_extra={"group": N_("Program")},
    )
    arguments: list[Argument] = Field(
        default_factory=list,
        max_length=200,
        title=N_("Arguments"),
        description=N_("What the script finds in sys.argv, one a line."),
        json_schema_extra={"group": N_("Program")},
    )
    nodes: int = Field(
        default=1,
        ge=1,
        le=64,
        title=N_("Nodes"),
        description=N_("They must share the workspace's folder; each has the CPUs and memory below."),
        json_schema_extra={"group": N_("Resources")},
    )
    threads: int = Field(
        default=1,
        ge=1,
        le=256,
        title=N_("Threads of each worker"),
        description=N_(
            "Each node has as many workers as its CPUs make: 1 for Python code, more where NumPy computes."
        ),
        json_schema_extra={"group": N_("Resources")},
    )
    reserved_memory_mib: int = Field(
        default=512,
        ge=64,
        le=64 * 1024**2,
        title=N_("Memory beside the workers"),
        description=N_(
            "Of each node, for the script, the scheduler and Dask itself; the workers share the rest equally."
        ),
        json_schema_extra={"advanced": True, "unit": "MiB", "group": N_("Resources")},
    )
    resources: Resources = Field(
        default=Resources(cpus=2, memory_mib=2048, walltime_seconds=1800), title=N_("Resources")
    )


class DaskCluster(Template[DaskParameters]):
    """The first node runs scheduler and script, every node workers; see workloads/scripts/dask_cluster.py."""

    name: ClassVar[str] = "dask-cluster"
    title: ClassVar[str] = N_("Script with a Dask cluster")
    summary: ClassVar[str] = N_("A Python script with Dask workers of its own, on one node or many.")
    domain: ClassVar[str] = "general"
    parameters = DaskParameters

    def render(self, params: DaskParameters) -> JobSpec:
        """A job that carries its script and what starts the cluster."""
        problems = list(_problems(params))
        if problems:
            raise InvalidParameters(self.name, problems)
        asked = {"nodes": params.nodes, "ntasks": params.nodes}
        with self._refusing():
            return JobSpec(
                name=params.name,
                script=_SCRIPT,
                environment=_SETTINGS,
                partition=params.resources.partition,
                programs=("python",),
                resources=params.resources.request().model_copy(update=asked),
                requeue=RequeuePolicy(),
                inputs=(
                    *program_files(params.files, _EXAMPLE),
                    InputFile(path="dask/parameters.json", content=_program_parameters(params)),
                    *(InputFile(path=f"dask/{name}", content=shipped(name)) for name in _PROGRAMS),
                ),
            )

    def parse(self, workspace: Path, params: DaskParameters) -> Results:
        """The script's curves and what became of its cluster; a verdict once the script has ended."""
        events = _last_run(workspace)
        curves = read_curves(workspace)
        metrics = tuple(_metrics(events))
        exit_code = _exit_code(events)
        if exit_code is None:
            return Results(metrics=metrics, series=curves)
        present = list_files(workspace)
        artefacts = tuple(
            Artefact(name, kind) for name, kind in (("metrics.jsonl", "curve"),) if name in present
        )
        failure = _failure(events, exit_code, params.program)
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=Verdict.FAIL if failure else Verdict.PASS,
            metrics=metrics,
            failure=failure,
            artefacts=artefacts,
        )
        return Results(tasks=(task,), metrics=metrics, series=curves)


def _problems(params: DaskParameters) -> Iterator[FieldProblem]:
    missing = program_problem(params.program, params.files, _EXAMPLE)
    if missing:
        yield missing
    workers = params.resources.cpus // params.threads
    if not workers:
        text = N_("a worker cannot have more threads than its node has CPUs")
        yield FieldProblem("threads", text, "value_error", text)
    elif (params.resources.memory_mib - params.reserved_memory_mib) // workers < _LEAST_WORKER_MIB:
        text = N_("less than %(least)s MiB would be left for each of %(workers)s workers")
        facts = {"least": _LEAST_WORKER_MIB, "workers": workers}
        yield FieldProblem("resources.memory_mib", text % facts, "value_error", text, facts)


def _program_parameters(params: DaskParameters) -> str:
    """The file that dask_cluster.py reads."""
    given = params.model_dump(include={"arguments", "threads", "reserved_memory_mib"})
    return json.dumps({**given, "script": program_path(params.program)}, indent=2, sort_keys=True) + "\n"


def _last_run(workspace: Path) -> list[Mapping[str, Any]]:
    """The events since the cluster was last started; a job that was requeued started several."""
    events: list[Mapping[str, Any]] = []
    for event in read_metrics(workspace, EVENTS):
        events = [event] if event.get("event") == "start" else [*events, event]
    return events


def _metrics(events: list[Mapping[str, Any]]) -> Iterator[Metric]:
    units = {"memory_mib_per_worker": "MiB"}
    for name in ("nodes", "workers", "threads", "memory_mib_per_worker"):
        for event in events[:1]:
            if is_number(event.get(name)):
                yield Metric(name, event[name], units.get(name, ""))
    if events:
        yield Metric("workers_lost", sum(event.get("event") == "worker_lost" for event in events))
    for event in events:
        if event.get("event") == "end" and is_number(event.get("seconds")):
            yield Metric("elapsed_seconds", event["seconds"], "s")


def _exit_code(events: list[Mapping[str, Any]]) -> int | None:
    """Of the script, negative when a signal ended it; None while it goes on."""
    for event in events:
        if event.get("event") == "end" and _is_whole(event.get("exit_code"), -_MOST_SIGNAL, _MOST_EXIT_CODE):
            return int(event["exit_code"])
    return None


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _failure(events: list[Mapping[str, Any]], exit_code: int, program: str) -> Failure | None:
    if exit_code == 0:
        return None
    for event in events:
        if event.get("event") == "error":
            line = f"{event.get('type')}: {event.get('message')}"[:2000]
            number = event["line"] if _is_whole(event.get("line"), 1, _MOST_LINES) else 1
            return Failure(signature(line), line, program_path(program), number)
    line = (
        f"the script ended with {exit_code}"
        if exit_code > 0
        else f"the script was ended by signal {-exit_code}"
    )
    return Failure(line, line, EVENTS, len(events))
