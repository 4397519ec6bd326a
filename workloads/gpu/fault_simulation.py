"""Stuck-at fault simulation as a template: how much of a netlist a set of test patterns checks."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from schedulers.jobspec import JobSpec
from workloads.errors import InvalidParameters
from workloads.gpu.design import DesignParameters, design_inputs, design_paths, design_problems
from workloads.gpu.kernel_job import GPU_TYPE, GPUS, RESOURCES, Result, failed_task, kernel_job, read_result
from workloads.resources import JobName, Resources
from workloads.template import N_, Artefact, Failure, Metric, Results, Series, TaskResult, Template, Verdict

_RESULT = "faults.json"


class FaultSimulationParameters(DesignParameters):
    """A design, patterns and what they must reach."""

    name: JobName = "fault-simulation"
    patterns: int = Field(
        default=4096,
        ge=1,
        le=16_777_216,
        title=N_("Random patterns"),
        description=N_("All patterns are taken instead where these are fewer."),
        json_schema_extra={"group": N_("Test")},
    )
    target_coverage: float = Field(
        default=0.95,
        ge=0,
        le=1,
        title=N_("Target coverage"),
        description=N_("The share of collapsed faults that must be detected; redundant ones never are."),
        json_schema_extra={"group": N_("Test")},
    )
    seed: int = Field(
        default=1,
        ge=0,
        le=2**31 - 1,
        title=N_("Seed"),
        description=N_("The same seed gives the same patterns on every device."),
        json_schema_extra={"group": N_("Test")},
    )
    gpus: int = GPUS
    gpu_type: str | None = GPU_TYPE
    resources: Resources = RESOURCES


class _Faults(Result):
    gates: int
    faults: int
    collapsed: int
    detected: int
    coverage: float
    coverage_of_all: float
    patterns: int
    last_useful_pattern: int
    seconds: float
    coverage_curve: list[tuple[float, float]] = Field(max_length=10_000)


class FaultSimulation(Template[FaultSimulationParameters]):
    """Single stuck-at faults, 64 patterns in a word, full scan: flip-flops are inputs and outputs."""

    name: ClassVar[str] = "fault-simulation"
    title: ClassVar[str] = N_("Fault simulation")
    summary: ClassVar[str] = N_("Stuck-at coverage of a gate-level netlist under random patterns.")
    domain: ClassVar[str] = "verification"
    parameters = FaultSimulationParameters

    def render(self, params: FaultSimulationParameters) -> JobSpec:
        """One job that carries design, library and program."""
        problems = design_problems(params)
        if problems:
            raise InvalidParameters(self.name, problems)
        given = params.model_dump(include={"patterns", "seed"})
        with self._refusing():
            return kernel_job(params, "grade_faults", given | design_paths(params), design_inputs(params))

    def parse(self, workspace: Path, params: FaultSimulationParameters) -> Results:
        """Coverage of collapsed faults decides; the undetected ones are listed in a file."""
        failed = failed_task(workspace, self.name)
        if failed is not None:
            return Results(tasks=(failed,))
        faults = read_result(workspace, _RESULT, _Faults)
        if faults is None:
            return Results()
        failure = None
        if faults.coverage < params.target_coverage:
            line = f"coverage {faults.coverage:.4f} is below the target {params.target_coverage:g}"
            failure = Failure("coverage is below the target", line, _RESULT, 1)
        metrics = _metrics(faults)
        task = TaskResult(
            task_index=0,
            label=self.name,
            verdict=Verdict.FAIL if failure else Verdict.PASS,
            metrics=metrics,
            failure=failure,
            artefacts=(Artefact(_RESULT, "report"), Artefact("undetected.txt", "report")),
        )
        curve = Series("fault_coverage", "patterns", "", tuple(faults.coverage_curve))
        return Results(tasks=(task,), metrics=metrics, series=(curve,))


def _metrics(faults: _Faults) -> tuple[Metric, ...]:
    return (
        Metric("fault_coverage_rate", faults.coverage),
        Metric("fault_coverage_of_all_rate", faults.coverage_of_all),
        Metric("faults", faults.faults),
        Metric("collapsed_faults", faults.collapsed),
        Metric("detected_faults", faults.detected),
        Metric("patterns", faults.patterns),
        Metric("last_useful_pattern", faults.last_useful_pattern),
        Metric("gates", faults.gates),
        Metric("simulation_seconds", faults.seconds, "s"),
    )
