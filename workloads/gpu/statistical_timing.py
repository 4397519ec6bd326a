"""Statistical timing as a template: the yield of a netlist at a clock period, under process variation."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from schedulers.jobspec import JobSpec
from workloads.errors import InvalidParameters
from workloads.gpu.design import DesignParameters, design_inputs, design_paths, design_problems
from workloads.gpu.kernel_job import GPU_TYPE, GPUS, RESOURCES, Result, failed_task, kernel_job, read_result
from workloads.resources import JobName, Resources
from workloads.template import (
    N_,
    Artefact,
    Column,
    Failure,
    Metric,
    Results,
    Series,
    Table,
    TaskResult,
    Template,
    Verdict,
)

_RESULT = "timing.json"
_Sigma = Annotated[float, Field(ge=0, le=0.25, allow_inf_nan=False)]
_SAMPLED = ("samples", "seed", "period_ns", "global_sigma", "local_sigma")
_LOADED = ("input_slew_ns", "wire_capacitance_ff", "output_load_ff")


class StatisticalTimingParameters(DesignParameters):
    """A design, its clock, and how much its delays vary."""

    name: JobName = "statistical-timing"
    period_ns: float = Field(
        default=0.95,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        title=N_("Clock period"),
        json_schema_extra={"unit": "ns", "group": N_("Constraints")},
    )
    target_yield: float = Field(
        default=0.95,
        ge=0,
        le=1,
        title=N_("Target yield"),
        description=N_(
            "The share of dies that must meet the period. There is no verdict while the confidence interval "
            "holds the target: take more samples."
        ),
        json_schema_extra={"group": N_("Constraints")},
    )
    input_slew_ns: float = Field(
        default=0.05,
        ge=0,
        le=1000,
        allow_inf_nan=False,
        title=N_("Input slew"),
        json_schema_extra={"unit": "ns", "group": N_("Constraints")},
    )
    wire_capacitance_ff: float = Field(
        default=1.0,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        title=N_("Wire capacitance"),
        description=N_("For each pin that a net drives."),
        json_schema_extra={"unit": "fF", "group": N_("Constraints")},
    )
    output_load_ff: float = Field(
        default=5.0,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        title=N_("Output load"),
        json_schema_extra={"unit": "fF", "group": N_("Constraints")},
    )
    global_sigma: _Sigma = Field(
        default=0.05,
        title=N_("Variation between dies"),
        description=N_("Standard deviation of all delays of a die together, as a share of the delay."),
        json_schema_extra={"group": N_("Variation")},
    )
    local_sigma: _Sigma = Field(
        default=0.08,
        title=N_("Variation within a die"),
        description=N_("Standard deviation of each stage by itself, as a share of its delay."),
        json_schema_extra={"group": N_("Variation")},
    )
    samples: int = Field(
        default=100_000,
        ge=100,
        le=20_000_000,
        title=N_("Samples"),
        description=N_("Dies to draw; the error of the yield falls with their square root."),
        json_schema_extra={"group": N_("Variation")},
    )
    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, title=N_("Seed"), json_schema_extra={"group": N_("Variation")}
    )
    gpus: int = GPUS
    gpu_type: str | None = GPU_TYPE
    resources: Resources = RESOURCES


class _Endpoint(Result):
    name: str = Field(max_length=1000)
    share: float


class _Timing(Result):
    samples: int
    samples_per_second: float
    stages: int
    nominal_ns: float
    mean_ns: float
    sd_ns: float
    quantiles_ns: dict[float, float] = Field(max_length=20)
    yield_: float = Field(alias="yield")
    yield_low: float
    yield_high: float
    yield_curve: list[tuple[float, float]] = Field(max_length=10_000)
    latest_endpoints: list[_Endpoint] = Field(max_length=1000)


class StatisticalTiming(Template[StatisticalTimingParameters]):
    """Monte-Carlo over die-to-die and within-die variation; the arrival of every net in every sample."""

    name: ClassVar[str] = "statistical-timing"
    title: ClassVar[str] = N_("Statistical timing")
    summary: ClassVar[str] = N_("The yield of a gate-level netlist at a clock period, by Monte-Carlo.")
    domain: ClassVar[str] = "synthesis"
    parameters = StatisticalTimingParameters

    def render(self, params: StatisticalTimingParameters) -> JobSpec:
        """One job that carries design, library and program."""
        problems = design_problems(params)
        if problems:
            raise InvalidParameters(self.name, problems)
        given = params.model_dump(include={*_SAMPLED, *_LOADED})
        with self._refusing():
            return kernel_job(params, "time_netlist", given | design_paths(params), design_inputs(params))

    def parse(self, workspace: Path, params: StatisticalTimingParameters) -> Results:
        """Yield with its 95 % confidence interval, the delay's distribution, and who is latest."""
        failed = failed_task(workspace, self.name)
        if failed is not None:
            return Results(tasks=(failed,))
        timing = read_result(workspace, _RESULT, _Timing)
        if timing is None:
            return Results()
        verdict, failure = _judge(timing, params)
        metrics = _metrics(timing)
        task = TaskResult(0, self.name, verdict, metrics, failure, (Artefact(_RESULT, "report"),))
        curve = Series("yield_by_period", "clock period (ns)", "", tuple(timing.yield_curve))
        return Results(
            tasks=(task,), metrics=metrics, series=(curve,), tables=(_periods(timing), _latest(timing))
        )


def _judge(timing: _Timing, params: StatisticalTimingParameters) -> tuple[Verdict, Failure | None]:
    if timing.yield_low >= params.target_yield:
        return Verdict.PASS, None
    if timing.yield_high >= params.target_yield:
        return Verdict.NO_VERDICT, None
    line = f"yield {timing.yield_:.4f} at {params.period_ns:g} ns is below the target {params.target_yield:g}"
    return Verdict.FAIL, Failure("yield is below the target", line, _RESULT, 1)


def _metrics(timing: _Timing) -> tuple[Metric, ...]:
    return (
        Metric("yield_rate", timing.yield_),
        Metric("yield_low_rate", timing.yield_low),
        Metric("yield_high_rate", timing.yield_high),
        Metric("nominal_delay", timing.nominal_ns, "ns"),
        Metric("mean_delay", timing.mean_ns, "ns"),
        Metric("sd_delay", timing.sd_ns, "ns"),
        Metric("samples", timing.samples),
        Metric("samples_per_second", round(timing.samples_per_second), "1/s"),
        Metric("stages", timing.stages),
    )


def _periods(timing: _Timing) -> Table:
    return Table(
        N_("Clock period by yield"),
        (Column(N_("Yield")), Column(N_("Clock period"), "ns")),
        tuple((f"{share:.2%}", value) for share, value in sorted(timing.quantiles_ns.items())),
    )


def _latest(timing: _Timing) -> Table:
    return Table(
        N_("Where the latest path ends"),
        (Column(N_("Endpoint")), Column(N_("Share of samples"))),
        tuple((one.name, one.share) for one in timing.latest_endpoints),
    )
