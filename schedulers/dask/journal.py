"""The supervisor's memory of runs: an append-only file that survives it, replayed when it starts anew."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schedulers.dask.messages import Lane, RunReport

COMPACT_AFTER_LINES = 50_000


@dataclass(slots=True)
class Replayed:
    """What a journal says when it is read from the start."""

    reports: dict[str, RunReport] = field(default_factory=dict)
    executors: dict[int, int] = field(default_factory=dict)
    """Executors that were started and not seen to end: start ticks by pid."""
    organisation: str = ""
    """The only one that this node has served, where it cannot keep two apart."""


class Journal:
    """One open journal. Records survive this process, not the machine: after a power cut no run lives on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.replayed = _replay(path)
        self._lines = 0
        self._descriptor = -1
        self._is_torn = False
        self.compact(self.replayed)

    def launched(self, lane: Lane) -> None:
        """Write ahead that these runs will start."""
        self._append(["launch", lane.lane_id, list(lane.gpu_indices), [run.key for run in lane.runs]])

    def changed(self, reports: Iterable[RunReport]) -> None:
        """Record starts and ends."""
        self._append(*(["run", report.to_json()] for report in reports))

    def forgotten(self, keys: Iterable[str]) -> None:
        """Drop runs."""
        self._append(["forget", list(keys)])

    def executor_started(self, pid: int, start_ticks: int) -> None:
        """Remember a process that must not outlive the supervisor."""
        self._append(["executor", pid, start_ticks])

    def executor_ended(self, pid: int) -> None:
        """It is gone."""
        self._append(["executor-ended", pid])

    def serves(self, organisation: str) -> None:
        """Remember the organisation whose files lie on this node unprotected."""
        self._append(["organisation", organisation])

    def wants_compaction(self, remembered: int) -> bool:
        """Whether most of the file speaks of what is over."""
        return self._lines > COMPACT_AFTER_LINES and self._lines > 4 * remembered

    def compact(self, content: Replayed) -> None:
        """Replace the file by one that says just this."""
        records = list(_records(content))
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(b"".join(_line(record) for record in records))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        self.close()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lines = len(records)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, *records: list[Any]) -> None:
        content = b"".join(_line(record) for record in records)
        view = memoryview(b"\n" + content if self._is_torn else content)
        self._is_torn = True
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._is_torn = False
        self._lines += len(records)


def _line(record: list[Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _records(content: Replayed) -> Iterator[list[Any]]:
    if content.organisation:
        yield ["organisation", content.organisation]
    for pid, start_ticks in content.executors.items():
        yield ["executor", pid, start_ticks]
    for report in content.reports.values():
        yield ["run", report.to_json()]


def _replay(path: Path) -> Replayed:
    found = Replayed()
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return found
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # cut off by a crash or a full disk
            _apply(json.loads(line), found)
    return found


def _apply(record: list[Any], found: Replayed) -> None:
    match record:
        case ["launch", str(lane_id), list(gpus), list(keys)]:
            for key in keys:
                found.reports.setdefault(key, RunReport(key, lane_id, "queued", gpu_indices=tuple(gpus)))
        case ["run", dict(json_report)]:
            report = RunReport.from_json(json_report)
            found.reports[report.key] = report
        case ["forget", list(keys)]:
            for key in keys:
                found.reports.pop(key, None)
        case ["executor", int(pid), int(start_ticks)]:
            found.executors[pid] = start_ticks
        case ["executor-ended", int(pid)]:
            found.executors.pop(pid, None)
        case ["organisation", str(name)]:
            found.organisation = name
        case _:
            raise ValueError(f"The journal holds a record that nobody wrote: {record!r}")
