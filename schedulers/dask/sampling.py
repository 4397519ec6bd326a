"""What a run uses while it runs: CPU, memory and GPU, written into its workspace every few seconds."""

import ctypes
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schedulers.dask.processes import Process


@dataclass(slots=True)
class Usage:
    """What was seen of one run so far."""

    rss_mib: int = 0
    max_rss_mib: int = 0
    cpu_seconds: float = 0.0
    last_sample_at: float = 0.0
    """Unix seconds; the start before the first sample."""
    cpu_at_last_sample: float = 0.0
    gpu_busy_seconds: float | None = None
    """GPUs times the seconds that they were at work, up to the last sample; None: nothing was measured."""
    gpus_busy: float = 0.0
    """At the last sample: 1.5 when one of two was fully at work and the other one half."""
    pids: set[int] = field(default_factory=set)

    def see(self, pids: set[int], processes: Mapping[int, Process]) -> None:
        """Take in one look at the run's processes."""
        self.pids = pids
        self.rss_mib = sum(processes[pid].rss_kib for pid in pids) // 1024
        self.max_rss_mib = max(self.max_rss_mib, self.rss_mib)
        self.cpu_seconds = max(self.cpu_seconds, sum(processes[pid].cpu_seconds for pid in pids))

    def see_gpus(self, percent: int, gpus: int, now: float) -> None:
        """Take in how busy the run's GPUs are; they count as so busy since the last sample.

        Args:
            percent: the mean over the GPUs.
            gpus: how many there are.
            now: Unix seconds.
        """
        self.gpus_busy = percent * gpus / 100
        passed = max(now - self.last_sample_at, 0.0)
        self.gpu_busy_seconds = (self.gpu_busy_seconds or 0.0) + self.gpus_busy * passed

    def gpu_busy_until(self, end: float) -> float | None:
        """The same up to the run's end: from its last sample on it went on as before."""
        if self.gpu_busy_seconds is None:
            return None
        return round(self.gpu_busy_seconds + self.gpus_busy * max(end - self.last_sample_at, 0.0), 3)


def append_sample(path: str, usage: Usage, now: float, gpus: dict[str, int]) -> None:
    """Add one JSON line to the run's samples: `{at, cpu_percent, rss_mib, gpu_percent?, gpu_mib?}`.

    100 percent is one CPU kept busy. A file that cannot be written is given up without a word: samples
    are a comfort, and the workspace is the tenant's to break.
    """
    passed = max(now - usage.last_sample_at, 0.001)
    busy = usage.cpu_seconds - usage.cpu_at_last_sample
    usage.last_sample_at, usage.cpu_at_last_sample = now, usage.cpu_seconds
    sample = {"at": round(now, 3), "cpu_percent": round(100 * busy / passed, 1), "rss_mib": usage.rss_mib}
    line = json.dumps({**sample, **gpus}) + "\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - pathlib is slow to import
        descriptor = os.open(path, flags, 0o640)
    except OSError:
        return
    try:
        os.write(descriptor, line.encode())
    except OSError:
        return
    finally:
        os.close(descriptor)


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class GpuMeter:
    """Reads GPUs through the driver's own NVML library, because a sandbox has no pynvml."""

    def __init__(self, indices: tuple[int, ...]) -> None:
        self._library: Any = None
        self._devices: list[ctypes.c_void_p] = []
        if not indices:
            return
        try:
            self._library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return
        if self._library.nvmlInit_v2() != 0:
            return
        for index in indices:
            device = ctypes.c_void_p()
            if self._library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0:
                self._devices.append(device)

    @property
    def count(self) -> int:
        """How many GPUs it reads."""
        return len(self._devices)

    def read(self) -> dict[str, int]:
        """`gpu_percent` (mean over the GPUs) and `gpu_mib` (sum); empty without a readable GPU."""
        busy, used = [], 0
        for device in self._devices:
            rates, memory = _Utilization(), _Memory()
            if self._library.nvmlDeviceGetUtilizationRates(device, ctypes.byref(rates)) == 0:
                busy.append(rates.gpu)
            if self._library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0:
                used += memory.used // 1024**2
        return {"gpu_percent": round(sum(busy) / len(busy)), "gpu_mib": used} if busy else {}
