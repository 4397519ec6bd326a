"""Burn-in of a node as a template: administrators run it before the node takes jobs."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schedulers.jobspec import JobSpec
from workloads.gpu.kernel_job import GPU_TYPE, Result, failed_task, kernel_job, read_result
from workloads.resources import JobName, Resources
from workloads.template import (
    N_,
    Artefact,
    Column,
    Failure,
    Metric,
    Parameters,
    Results,
    Table,
    TaskResult,
    Template,
    Verdict,
)

_RESULT = "health.json"
_GIGA = 1e9
_CPU_SIDE, _GPU_SIDE = 1024, 8192
_CPU_ARRAY_MIB, _GPU_ARRAY_MIB = 64, 1024
"""A GPU copies 64 MiB in the time that starting it takes a third of, and seems slow."""
_UNKNOWN = "-"

_DeviceType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$", max_length=64)]
_Limit = Annotated[int, Field(ge=0, le=10**9)]

_BANDWIDTH = {
    "h200": 3300,
    "h100": 2300,
    "h100 pcie": 1400,
    "a100": 1100,
    "v100": 630,
    "l40s": 600,
    "l4": 200,
}
"""About 70 % of what their makers publish, in GB/s."""
_GEMM = {"h200": 40_000, "h100": 40_000, "h100 pcie": 30_000, "a100": 13_000, "v100": 10_000}
"""The same for float32 products, in GFLOP/s."""


class NodeHealthParameters(Parameters):
    """How long and how hard to try a node, and what it must reach."""

    name: JobName = "gpu-health"
    node: str | None = Field(
        default=None,
        max_length=255,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        title=N_("Node"),
        description=N_("The name of one node; empty checks whichever is free."),
        json_schema_extra={"group": N_("Test")},
    )
    exclusive: bool = Field(
        default=False,
        title=N_("The whole node"),
        description=N_("Nothing else runs there meanwhile; else its figures are too low."),
        json_schema_extra={"group": N_("Test")},
    )
    seconds: int = Field(
        default=5,
        ge=1,
        le=86_400,
        title=N_("Burn-in"),
        description=N_("How long each device multiplies matrices; every product is checked."),
        json_schema_extra={"unit": "s", "group": N_("Test")},
    )
    array_mib: int | None = Field(
        default=None,
        ge=1,
        le=16_384,
        title=N_("Array size"),
        description=N_(
            "Of the bandwidth test, which needs three of them; larger than all caches. Empty takes 1024 on "
            "GPUs and 64 on CPUs."
        ),
        json_schema_extra={"advanced": True, "unit": "MiB", "group": N_("Test")},
    )
    gemm_side: int | None = Field(
        default=None,
        ge=16,
        le=32_768,
        title=N_("Matrix side"),
        description=N_("Empty takes 8192 on GPUs and 1024 on CPUs."),
        json_schema_extra={"advanced": True, "group": N_("Test")},
    )
    least_bandwidth: dict[_DeviceType, _Limit] = Field(
        default=_BANDWIDTH,
        max_length=64,
        title=N_("Least memory bandwidth"),
        description=N_("GB/s by type, one a line, such as h100=2300; cpu for a node's own memory."),
        json_schema_extra={"advanced": True, "group": N_("Limits")},
    )
    least_gemm: dict[_DeviceType, _Limit] = Field(
        default=_GEMM,
        max_length=64,
        title=N_("Least arithmetic"),
        description=N_("GFLOP/s of float32 products by type, one a line, such as h100=40000."),
        json_schema_extra={"advanced": True, "group": N_("Limits")},
    )
    most_celsius: int = Field(
        default=87,
        ge=1,
        le=150,
        title=N_("Highest temperature"),
        json_schema_extra={"advanced": True, "unit": "°C", "group": N_("Limits")},
    )
    most_correctable_errors: int = Field(
        default=100,
        ge=0,
        le=10**9,
        title=N_("Correctable memory errors"),
        description=N_("Since the driver was loaded. One uncorrectable error makes a GPU sick."),
        json_schema_extra={"advanced": True, "group": N_("Limits")},
    )
    gpus: int = Field(
        default=0,
        ge=0,
        le=16,
        title=N_("GPUs"),
        description=N_("All of the node; 0 checks its CPUs and memory."),
        json_schema_extra={"group": N_("Resources")},
    )
    gpu_type: str | None = GPU_TYPE
    resources: Resources = Field(
        default=Resources(cpus=1, memory_mib=1024, walltime_seconds=900), title=N_("Resources")
    )


class _Finding(Result):
    code: str = Field(max_length=100)
    text: str = Field(max_length=1000)
    health: Literal["degraded", "sick"]


class _State(Result):
    temperature_celsius: int | None
    uncorrectable_errors: int | None
    correctable_errors: int | None


class _Device(Result):
    name: str = Field(max_length=200)
    copy_bytes_per_second: float
    triad_bytes_per_second: float
    gemm_flops_per_second: float
    products: int
    health: Literal["healthy", "degraded", "sick"]
    findings: list[_Finding] = Field(max_length=100)
    state: _State | None


class _Health(Result):
    node: str = Field(max_length=255)
    health: Literal["healthy", "degraded", "sick"]
    devices: list[_Device] = Field(min_length=1, max_length=64)


class NodeHealth(Template[NodeHealthParameters]):
    """Memory bandwidth, checked matrix products, memory errors, temperature and clocks, against limits."""

    name: ClassVar[str] = "gpu-health"
    title: ClassVar[str] = N_("Node health check")
    summary: ClassVar[str] = N_("Burn-in of a node: bandwidth, checked arithmetic, memory errors, heat.")
    domain: ClassVar[str] = "operations"
    fixed_script: ClassVar[str] = N_(
        "Its result says whether a node is in order: everybody has to run the same test."
    )
    parameters = NodeHealthParameters

    def render(self, params: NodeHealthParameters) -> JobSpec:
        """One job on one node; it ends with 0 healthy, 1 degraded, 2 sick."""
        given = {
            "array_mib": params.array_mib or (_GPU_ARRAY_MIB if params.gpus else _CPU_ARRAY_MIB),
            "gemm_side": params.gemm_side or (_GPU_SIDE if params.gpus else _CPU_SIDE),
            "seconds": params.seconds,
            "seed": 1,
            "limits": {
                "least_bandwidth_gb_per_s": params.least_bandwidth,
                "least_gemm_gflops": params.least_gemm,
                "most_celsius": params.most_celsius,
                "most_correctable_errors": params.most_correctable_errors,
            },
        }
        with self._refusing():
            spec = kernel_job(params, "check_node", given)
            chosen = (params.node,) if params.node else ()
            return spec.model_copy(update={"exclusive": params.exclusive, "nodelist": chosen})

    def parse(self, workspace: Path, params: NodeHealthParameters) -> Results:
        """One verdict for the node, its worst device's; a row for each device and each finding."""
        del params
        failed = failed_task(workspace, self.name)
        if failed is not None:
            return Results(tasks=(failed,))
        found = read_result(workspace, _RESULT, _Health)
        if found is None:
            return Results()
        findings = [finding for device in found.devices for finding in device.findings]
        worst = next((one for one in findings if one.health == found.health), None)
        metrics = _metrics(found)
        task = TaskResult(
            task_index=0,
            label=found.node,
            verdict=Verdict.PASS if found.health == "healthy" else Verdict.FAIL,
            metrics=metrics,
            failure=Failure(f"{worst.health}: {worst.code}", worst.text, _RESULT, 1) if worst else None,
            artefacts=(Artefact(_RESULT, "report"),),
        )
        return Results(tasks=(task,), metrics=metrics, tables=_tables(found))


def _metrics(found: _Health) -> tuple[Metric, ...]:
    """Of the slowest device in each."""
    return (
        Metric("copy_bandwidth", min(one.copy_bytes_per_second for one in found.devices) / _GIGA, "GB/s"),
        Metric("triad_bandwidth", min(one.triad_bytes_per_second for one in found.devices) / _GIGA, "GB/s"),
        Metric("gemm", min(one.gemm_flops_per_second for one in found.devices) / _GIGA, "GFLOP/s"),
        Metric("checked_products", sum(one.products for one in found.devices)),
        Metric("devices", len(found.devices)),
        Metric("sick_devices", sum(one.health == "sick" for one in found.devices)),
        Metric("degraded_devices", sum(one.health == "degraded" for one in found.devices)),
    )


def _tables(found: _Health) -> tuple[Table, ...]:
    devices = Table(
        N_("Devices"),
        (
            Column(N_("Device")),
            Column(N_("Health")),
            Column(N_("Copy"), "GB/s"),
            Column(N_("Triad"), "GB/s"),
            Column("GEMM", "GFLOP/s"),
            Column(N_("Temperature"), "°C"),
            Column(N_("Uncorrectable")),
            Column(N_("Correctable")),
        ),
        tuple(_row(one) for one in found.devices),
    )
    rows = tuple((one.name, item.health, item.text) for one in found.devices for item in one.findings)
    if not rows:
        return (devices,)
    columns = (Column(N_("Device")), Column(N_("Health")), Column(N_("Finding")))
    return (devices, Table(N_("Findings"), columns, rows))


def _row(one: _Device) -> tuple[str | float | None, ...]:
    state = one.state or _State(temperature_celsius=None, uncorrectable_errors=None, correctable_errors=None)
    known = (state.temperature_celsius, state.uncorrectable_errors, state.correctable_errors)
    return (
        one.name,
        one.health,
        round(one.copy_bytes_per_second / _GIGA, 1),
        round(one.triad_bytes_per_second / _GIGA, 1),
        round(one.gemm_flops_per_second / _GIGA, 1),
        *(_UNKNOWN if value is None else value for value in known),
    )
