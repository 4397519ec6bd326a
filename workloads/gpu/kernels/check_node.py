"""Burn-in of a node before it takes jobs: `python -m workloads.gpu.kernels.check_node PARAMETERS.json`.

Writes health.json. Exit codes: 0 healthy, 1 degraded, 2 sick, 64 wrong parameters, 69 a package or a GPU is
missing.
"""

import os
import platform
import sys
from dataclasses import asdict
from types import ModuleType
from typing import Any

from workloads.gpu.kernels.program import (
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    fail,
    fail_missing,
    read_parameters,
    say,
    write_result,
)

try:
    from workloads.gpu.kernels.array_module import NoGpu, choose_array_module
    from workloads.gpu.kernels.bandwidth import copy_bytes_per_second, triad_bytes_per_second
    from workloads.gpu.kernels.checked_gemm import run_gemm
except ImportError as error:
    fail_missing(error)

from workloads.gpu.kernels.gpu_state import GpuState, NoGpuState, read_gpu_states
from workloads.gpu.kernels.verdict import GIGA, Health, Limits, Measured, judge


def main() -> None:
    """Measure every device of the job, judge each, end with the worst."""
    given = read_parameters()
    try:
        limits = Limits(**given["limits"])
        xp = choose_array_module(gpus=given["gpus"])
        devices = [_measure_gpu(xp, index, given) for index in range(given["gpus"])]
        if not devices:
            devices = [_measure(xp, f"cpu {platform.machine()} x{os.cpu_count()}", given)]
    except NoGpu as missing:
        fail(EXIT_UNAVAILABLE, str(missing), missing="gpu")
    except (KeyError, TypeError) as wrong:
        fail(EXIT_USAGE, f"cannot use the parameters: {wrong!r}")
    judged = [(device, *judge(device, limits)) for device in devices]
    worst = max(health for _, health, _ in judged)
    write_result(
        "health.json",
        {
            "node": platform.node(),
            "backend": xp.__name__,
            "health": worst.name.lower(),
            "devices": [
                {
                    **asdict(device),
                    "health": health.name.lower(),
                    "findings": [{**asdict(one), "health": one.health.name.lower()} for one in findings],
                }
                for device, health, findings in judged
            ],
        },
    )
    for device, health, findings in judged:
        say(
            f"{device.name}: {health.name.lower()}; copy {device.copy_bytes_per_second / GIGA:.1f} GB/s, "
            f"triad {device.triad_bytes_per_second / GIGA:.1f} GB/s, {device.products} checked products at "
            f"{device.gemm_flops_per_second / GIGA:.1f} GFLOP/s"
        )
        for one in findings:
            say(f"  {one.health.name.lower()}: {one.text}")
    sys.exit(worst if worst is not Health.HEALTHY else 0)


def _measure_gpu(xp: ModuleType, index: int, given: dict[str, Any]) -> Measured:
    with xp.cuda.Device(index):
        properties = xp.cuda.runtime.getDeviceProperties(index)
        return _measure(xp, f"gpu {index} {properties['name'].decode()}", given, gpu=index)


def _measure(xp: ModuleType, name: str, given: dict[str, Any], *, gpu: int | None = None) -> Measured:
    size = given["array_mib"] * 2**20
    copy, triad = copy_bytes_per_second(xp, size), triad_bytes_per_second(xp, size)
    gemm = run_gemm(xp, side=given["gemm_side"], seconds=given["seconds"], seed=given["seed"])
    return Measured(
        name=name,
        copy_bytes_per_second=copy,
        triad_bytes_per_second=triad,
        gemm_flops_per_second=gemm.flops_per_second,
        products=gemm.products,
        wrong_rows=gemm.wrong.rows,
        wrong_columns=gemm.wrong.columns,
        state=None if gpu is None else _state_of(xp, gpu),
    )


def _state_of(xp: ModuleType, index: int) -> GpuState | None:
    """The driver's word on the device that CuPy calls `index`; found on the bus, not by its place."""
    try:
        states = read_gpu_states()
    except NoGpuState as problem:
        say(f"memory errors and temperature cannot be read: {problem}")
        return None
    # CUDA's domain has four digits, nvidia-smi's eight.
    wanted = str(xp.cuda.runtime.deviceGetPCIBusId(index)).lower()
    return next((one for one in states if one.bus_id.lower().endswith(wanted)), None)


if __name__ == "__main__":
    main()
