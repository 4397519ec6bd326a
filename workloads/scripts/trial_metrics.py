"""What a program reports while it runs: one number of metrics.jsonl or of TensorBoard's files."""

import json
from collections.abc import Iterator
from pathlib import Path

from event_files import (  # type: ignore[import-not-found] # It lies beside this file in a job.
    is_event_file,
    read_scalars,
)

LARGEST_EVENTS_BYTES = 64 * 1024 * 1024
LARGEST_NUMBER = 1e300
STEPS = ("step", "epoch")


class Reported:
    """The objective of the program that works in a folder."""

    def __init__(self, folder: Path, objective: str) -> None:
        self._folder, self._objective = folder, objective
        self._metrics = folder / "metrics.jsonl"
        self._seen: dict[Path, tuple[int, int]] = {}
        """Inode and bytes read, by file."""
        self._lines = 0
        self.points: dict[float, float] = {}
        """Value by step; a step that is reported again has its last value."""

    def read(self) -> list[tuple[float, float]]:
        """The steps and values that are new or other ones since the last call, in the order of steps."""
        found = dict([*self._from_metrics(), *self._from_events()])
        fresh = {step: value for step, value in found.items() if self.points.get(step) != value}
        self.points |= fresh
        return sorted(fresh.items())

    def _from_metrics(self) -> Iterator[tuple[float, float]]:
        for line in self._new_bytes(self._metrics).splitlines():
            try:
                told = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(told, dict) and is_number(told.get(self._objective)):
                step = next((told[name] for name in STEPS if is_number(told.get(name))), self._lines)
                self._lines += 1
                yield step, told[self._objective]

    def _new_bytes(self, path: Path) -> bytes:
        """Whole lines that were not there before; all of a file that was written anew."""
        try:
            with path.open("rb") as file:
                inode = path.stat().st_ino
                before, start = self._seen.get(path, (inode, 0))
                if before != inode or path.stat().st_size < start:
                    start = self._lines = 0
                file.seek(start)
                content = file.read()
        except OSError:
            return b""
        whole = content[: content.rfind(b"\n") + 1]
        self._seen[path] = (inode, start + len(whole))
        return whole

    def _from_events(self) -> Iterator[tuple[float, float]]:
        if self._lines:
            return
        found = [path for path in self._folder.rglob("*tfevents*") if is_event_file(path.name)]
        for path in sorted(found, key=lambda path: path.name):
            size = path.stat().st_size
            if self._seen.get(path) == (0, size):
                continue
            self._seen[path] = (0, size)
            with path.open("rb") as file:
                content = file.read(LARGEST_EVENTS_BYTES)
            for scalar in read_scalars(content):
                if scalar.tag == self._objective:
                    yield scalar.step, scalar.value


def is_number(value: object) -> bool:
    """Whether it can be compared: neither infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER
