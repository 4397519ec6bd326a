"""Curves that any program may leave: metrics.jsonl and TensorBoard's event files, in their usual places."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workloads.event_files import is_event_file, read_scalars
from workloads.template import Series
from workloads.workspace import list_files, list_folders, read_bytes, read_text

METRICS = "metrics.jsonl"
_LARGEST_METRICS_BYTES = 16 * 1024 * 1024
_LARGEST_EVENTS_BYTES = 16 * 1024 * 1024
_MOST_EVENT_FILES = 32
_MOST_SERIES = 64
_MOST_POINTS = 5000
_LARGEST_NUMBER = 1e300
"""Below infinity; NaN is below nothing."""
_FOLDERS = (".", "runs", "logs", "lightning_logs")
"""Where SummaryWriter, Keras and Lightning write, themselves or in folders of these."""
_STEPS = ("step", "epoch")


def read_curves(workspace: Path) -> tuple[Series, ...]:
    """A curve for each number of metrics.jsonl with a step or an epoch, and each scalar of event files.

    Of very long curves every n-th point is kept, and the last one.
    """
    curves: dict[tuple[str, str], dict[float, float]] = {}
    for name, label, x, y in (*_from_metrics(workspace), *_from_events(workspace)):
        if (name, label) in curves or len(curves) < _MOST_SERIES:
            curves.setdefault((name, label), {})[x] = y
    return tuple(Series(name, label, "", _thinned(points)) for (name, label), points in curves.items())


def read_metrics(workspace: Path, path: str = METRICS) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; a line that is not one (half-written, edited) is left out."""
    text = read_text(workspace, path, max_bytes=_LARGEST_METRICS_BYTES) or ""
    for line in text.split("\n"):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def is_number(value: object) -> bool:
    """Whether it can stand on a curve."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER


def _from_metrics(workspace: Path) -> Iterator[tuple[str, str, float, float]]:
    for line in read_metrics(workspace):
        label = next((name for name in _STEPS if is_number(line.get(name))), None)
        if label is not None:
            for name, value in line.items():
                if name not in _STEPS and is_number(value):
                    yield name[:200], label, line[label], value


def _from_events(workspace: Path) -> Iterator[tuple[str, str, float, float]]:
    left = _LARGEST_EVENTS_BYTES
    for path in _event_files(workspace)[:_MOST_EVENT_FILES]:
        content = read_bytes(workspace, path, max_bytes=left) or b""
        left -= len(content)
        for scalar in read_scalars(content):
            yield scalar.tag, "step", scalar.step, scalar.value


def _event_files(workspace: Path) -> list[str]:
    """In the order in which runs began, which their names tell: a resumed run's points replace older ones."""
    folders = [*_FOLDERS, *(f"{one}/{name}" for one in _FOLDERS[1:] for name in list_folders(workspace, one))]
    found = [
        (name, folder) for folder in folders for name in list_files(workspace, folder) if is_event_file(name)
    ]
    return [f"{folder}/{name}" for name, folder in sorted(found)]


def _thinned(points: dict[float, float]) -> tuple[tuple[float, float], ...]:
    ordered = sorted(points.items())
    every = -(-len(ordered) // _MOST_POINTS)
    return tuple(
        point for index, point in enumerate(ordered) if index % every == 0 or index == len(ordered) - 1
    )
