"""Whether this machine has what the tests of this folder need, and what its driver's own tool tells of it."""

import os
import subprocess

from schedulers.dask.gpus import find_gpus
from schedulers.dask.node import Gpu
from workloads.gpu.kernels.array_module import NoGpu, choose_array_module

DEMANDED = "HPC_GPU_TESTS"
"""Set by `make gpu`: a machine without a GPU then fails instead of skipping."""
ASKED = 1
"""GPUs of each job that asks for some."""


def why_not() -> str:
    """Why no test of this folder can run here; "" where an NVIDIA GPU and CuPy are."""
    if not find_gpus():
        return "NVML finds no NVIDIA GPU on this machine"
    try:
        choose_array_module(gpus=ASKED)
    except NoGpu as missing:
        return str(missing)
    return ""


def is_demanded() -> bool:
    """Whether somebody asked for these tests and for nothing else."""
    return bool(os.environ.get(DEMANDED))


def first_gpu() -> Gpu:
    """The GPU that the tests look at."""
    return find_gpus()[0]


def ask_smi(fields: str, *, gpu: int = 0) -> list[str]:
    """What nvidia-smi says of a GPU, without units."""
    command = ["nvidia-smi", f"--id={gpu}", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    return [one.strip() for one in subprocess.check_output(command, text=True).split(",")]
