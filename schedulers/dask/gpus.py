"""The GPUs of this machine, as NVIDIA's driver tells them."""

import re

import pynvml

from schedulers.dask.node import Gpu


def find_gpus() -> tuple[Gpu, ...]:
    """Every GPU that NVML lists; () without a driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    finally:
        pynvml.nvmlShutdown()


def _gpu(index: int) -> Gpu:
    device = pynvml.nvmlDeviceGetHandleByIndex(index)
    name = pynvml.nvmlDeviceGetName(device)
    return Gpu(index, gpu_type(name), minor=pynvml.nvmlDeviceGetMinorNumber(device))


def gpu_type(product: str) -> str:
    """A slug of a product name: `NVIDIA H100 80GB HBM3` is `h100`, `NVIDIA GeForce RTX 4090` is `rtx-4090`.

    The brand goes, a word such as RTX stays with the number after it, and what follows the model goes.
    """
    words = re.split(r"[^A-Za-z0-9]+", product)
    model = next((place for place, word in enumerate(words) if re.search(r"\d", word)), None)
    if model is None:
        return "-".join(word.lower() for word in words if word) or "gpu"
    prefix = words[model - 1].lower() if model and words[model - 1].upper() in {"RTX", "GTX"} else ""
    return f"{prefix}-{words[model]}".strip("-").lower()
