"""Whether a device may take jobs: measured against limits, with every reason. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from workloads.gpu.kernels.gpu_state import GpuState

GIGA = 1e9


class Health(IntEnum):
    """The value is the program's exit code."""

    HEALTHY = 0
    DEGRADED = 1
    """It computes right, and is slower, hotter or more worn than it should be."""
    SICK = 2
    """Its results cannot be trusted: no job may get it."""


@dataclass(frozen=True)
class Limits:
    """What is expected of a device. Of several types that its name contains the longest counts."""

    least_bandwidth_gb_per_s: Mapping[str, float]
    """Of the copy test, by type: `h100`, or `cpu` for a node without GPUs."""
    least_gemm_gflops: Mapping[str, float]
    most_celsius: int
    most_correctable_errors: int


@dataclass(frozen=True)
class Measured:
    """One device's figures."""

    name: str
    copy_bytes_per_second: float
    triad_bytes_per_second: float
    gemm_flops_per_second: float
    products: int
    wrong_rows: tuple[int, ...]
    wrong_columns: tuple[int, ...]
    state: GpuState | None
    """After the load; None on CPUs, and where the driver does not tell."""


@dataclass(frozen=True)
class Finding:
    """One reason not to be healthy."""

    health: Health
    code: str
    """The same for one cause, whatever the figures."""
    text: str


def judge(measured: Measured, limits: Limits) -> tuple[Health, tuple[Finding, ...]]:
    """The worst of all findings; HEALTHY where there are none."""
    findings = (*_of_results(measured), *_of_speed(measured, limits), *_of_state(measured.state, limits))
    return max((one.health for one in findings), default=Health.HEALTHY), findings


def _of_results(measured: Measured) -> list[Finding]:
    if not measured.wrong_rows and not measured.wrong_columns:
        return []
    where = f"rows {list(measured.wrong_rows[:5])}, columns {list(measured.wrong_columns[:5])}"
    text = f"a matrix product was wrong in {where}"
    return [Finding(Health.SICK, "wrong result", text)]


def _of_speed(measured: Measured, limits: Limits) -> list[Finding]:
    found = []
    for code, unit, value, expected in (
        ("memory is slow", "GB/s", measured.copy_bytes_per_second, limits.least_bandwidth_gb_per_s),
        ("arithmetic is slow", "GFLOP/s", measured.gemm_flops_per_second, limits.least_gemm_gflops),
    ):
        least = _of_type(measured.name, expected)
        if least is not None and value / GIGA < least:
            text = f"{code}: {value / GIGA:.1f} {unit}, at least {least:g} are expected"
            found.append(Finding(Health.DEGRADED, code, text))
    return found


def _of_state(state: GpuState | None, limits: Limits) -> list[Finding]:
    if state is None:
        return []
    found = []
    if state.uncorrectable_errors:
        text = f"{state.uncorrectable_errors} uncorrectable memory errors since the driver was loaded"
        found.append(Finding(Health.SICK, "uncorrectable memory errors", text))
    if state.row_remap_failed:
        found.append(Finding(Health.SICK, "row remapping failed", "a broken memory row cannot be replaced"))
    if state.row_remap_pending:
        text = "a broken memory row is replaced at the next reset of the GPU"
        found.append(Finding(Health.DEGRADED, "row remapping pending", text))
    if (state.correctable_errors or 0) > limits.most_correctable_errors:
        most = limits.most_correctable_errors
        text = f"{state.correctable_errors} correctable memory errors, at most {most} are expected"
        found.append(Finding(Health.DEGRADED, "correctable memory errors", text))
    if (state.temperature_celsius or 0) > limits.most_celsius:
        text = f"{state.temperature_celsius} °C under load, at most {limits.most_celsius}"
        found.append(Finding(Health.DEGRADED, "too hot", text))
    if state.slowed_by:
        text = f"its clocks are low because of {', '.join(state.slowed_by)}"
        found.append(Finding(Health.DEGRADED, "clocks are low", text))
    return found


def _of_type(name: str, expected: Mapping[str, float]) -> float | None:
    fitting = [key for key in expected if key.lower() in name.lower()]
    return expected[max(fitting, key=len)] if fitting else None
