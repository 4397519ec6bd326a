"""Memory of processes over time: proportional set size, sampled, and its slope by least squares."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import psutil

MIB = 2**20


@dataclass
class MemorySamples:
    """While entered, a thread looks at each process every few seconds."""

    processes: Mapping[str, psutil.Process]
    every_seconds: float = 5.0
    points: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By process: seconds since the beginning, MiB."""

    def __post_init__(self) -> None:
        self.points = {name: [] for name in self.processes}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        began = time.monotonic()
        while True:
            at = time.monotonic() - began
            for name, process in self.processes.items():
                self.points[name].append((at, process.memory_full_info().pss / MIB))
            if self._over.wait(self.every_seconds):
                return


def slope_per_hour(points: list[tuple[float, float]], *, after_seconds: float) -> float:
    """MiB an hour, by least squares over what came after the warm-up; 0.0 where fewer than two points did."""
    late = [point for point in points if point[0] >= after_seconds]
    if len(late) < 2:
        return 0.0
    middle_at = sum(at for at, _ in late) / len(late)
    middle = sum(value for _, value in late) / len(late)
    spread = sum((at - middle_at) ** 2 for at, _ in late)
    return 3600 * sum((at - middle_at) * (value - middle) for at, value in late) / spread


def at_each_minute(points: list[tuple[float, float]]) -> list[float]:
    """The first value of every minute, and the last one."""
    firsts: dict[int, float] = {}
    for at, value in points:
        firsts.setdefault(int(at // 60), value)
    return [*firsts.values(), points[-1][1]]
