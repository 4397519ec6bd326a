"""What the driver tells of a GPU, as the node, the samplers and the health check read it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from schedulers.dask.gpus import find_gpus, gpu_type
from schedulers.dask.sampling import GpuMeter
from schedulers.slurm.sampler import sampler
from tests.gpu.the_gpu import ask_smi, first_gpu
from workloads.gpu.kernels.gpu_state import read_gpu_states

PATIENCE_SECONDS = 120
HELD_MIB, BUSY_PERCENT = 2048, 50
LOAD = f"""
import time, cupy
held = cupy.zeros({HELD_MIB} * 2**20 // 4, dtype=cupy.float32)
one = cupy.ones((4096, 4096), dtype=cupy.float32)
while True:
    one @ one
    cupy.cuda.Device().synchronize()
"""
"""Keeps the GPU busy and holds some of its memory."""


@contextmanager
def load() -> Iterator[None]:
    """Busy from when the memory is held until the end."""
    before = int(ask_smi("memory.used")[0])
    with subprocess.Popen([sys.executable, "-c", LOAD]) as process:
        try:
            wait_until_more(before + HELD_MIB, process)
            yield
        finally:
            process.kill()


def wait_until_more(mib: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while int(ask_smi("memory.used")[0]) < mib or int(ask_smi("utilization.gpu")[0]) < BUSY_PERCENT:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_every_gpu_is_found_with_the_type_that_its_name_says() -> None:
    found = find_gpus()
    count, name, index = ask_smi("count,name,index")
    assert (len(found), found[0].index) == (int(count), int(index))
    assert found[0].type == gpu_type(name)
    assert set(found[0].type.split("-")) <= set(name.lower().replace("-", " ").split())
    assert Path(f"/dev/nvidia{found[0].minor}").is_char_device()


def test_the_node_s_meter_sees_what_nvidia_smi_sees() -> None:
    meter = GpuMeter((first_gpu().index,))
    assert meter.count == 1
    idle = meter.read()
    with load():
        busy = meter.read()
        mib = int(ask_smi("memory.used")[0])
    assert busy["gpu_mib"] - idle["gpu_mib"] >= HELD_MIB
    assert busy["gpu_mib"] == pytest.approx(mib, abs=1024)  # NVML's old call counts the driver's own part
    assert BUSY_PERCENT <= busy["gpu_percent"] <= 100


def test_the_driver_s_own_words_are_understood() -> None:
    state = read_gpu_states()[0]
    name, bus, ecc = ask_smi("name,pci.bus_id,ecc.errors.uncorrected.volatile.total")
    assert (state.name, state.bus_id) == (name, bus)
    assert 0 < (state.temperature_celsius or 0) < 120
    assert state.uncorrectable_errors == (int(ecc) if ecc.isdecimal() else None)
    if state.uncorrectable_errors is not None:
        assert state.correctable_errors is not None


def test_a_batch_script_samples_the_gpu_beside_its_program(tmp_path: Path) -> None:
    file = tmp_path / ".hpc/samples-0-0.jsonl"
    environment = {
        "SLURM_JOB_ID": f"4711{os.getpid()}",
        "SLURMD_NODENAME": "n1",
        "CUDA_VISIBLE_DEVICES": str(first_gpu().index),
        "PATH": os.environ["PATH"],
    }
    script = f"{sampler(str(file))}exec sleep 600\n"
    with load(), subprocess.Popen(["/bin/bash", "-c", script], env=environment) as process:
        try:
            sample = until_sample(file)
        finally:
            process.kill()
    assert HELD_MIB <= sample["gpu_mib"] <= int(ask_smi("memory.total")[0])
    assert BUSY_PERCENT <= sample["gpu_percent"] <= 100


def until_sample(file: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if file.exists() and (lines := file.read_text().splitlines()):
            found: dict[str, Any] = json.loads(lines[0])
            return found
        time.sleep(0.2)
    raise AssertionError("no sample came")
