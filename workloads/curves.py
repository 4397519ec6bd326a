"""Curves that any program may leave: lines of JSON such as metrics.jsonl, and TensorBoard's event files."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from workloads.event_files import is_event_file, read_scalars
from workloads.template import Series
from workloads.workspace import list_files, list_folders, read_bytes, read_text

METRICS = "metrics.jsonl"
LARGEST_BYTES = 16 * 1024 * 1024
"""So much is read of metrics, and of all event files together."""
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
    return _curves(chain(_from_metrics(read_metrics(workspace)), _from_events(workspace)))


def may_have_curves(name: str) -> bool:
    """Whether `curves_in` may find some in a file of this name."""
    return is_event_file(name) or PurePosixPath(name).suffix == ".jsonl"


def curves_in(name: str, content: bytes) -> tuple[Series, ...]:
    """The same of one file alone."""
    if is_event_file(name):
        return _curves(_of_events(content))
    return _curves(_from_metrics(_objects(content.decode("utf-8", errors="replace"))))


def read_metrics(workspace: Path, path: str = METRICS) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; a line that is not one (half-written, edited) is left out."""
    return _objects(read_text(workspace, path, max_bytes=LARGEST_BYTES) or "")


def _objects(text: str) -> Iterator[dict[str, Any]]:
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


def _curves(points: Iterable[tuple[str, str, float, float]]) -> tuple[Series, ...]:
    """Of points with their curve's name and what their place is called; a later one replaces an earlier."""
    curves: dict[tuple[str, str], dict[float, float]] = {}
    for name, label, x, y in points:
        if (name, label) in curves or len(curves) < _MOST_SERIES:
            curves.setdefault((name, label), {})[x] = y
    return tuple(Series(name, label, "", _thinned(found)) for (name, label), found in curves.items())


def _from_metrics(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str, float, float]]:
    for line in lines:
        label = next((name for name in _STEPS if is_number(line.get(name))), None)
        if label is not None:
            for name, value in line.items():
                if name not in _STEPS and is_number(value):
                    yield name[:200], label, line[label], value


def _from_events(workspace: Path) -> Iterator[tuple[str, str, float, float]]:
    left = LARGEST_BYTES
    for path in _event_files(workspace)[:_MOST_EVENT_FILES]:
        content = read_bytes(workspace, path, max_bytes=left) or b""
        left -= len(content)
        yield from _of_events(content)


def _of_events(content: bytes) -> Iterator[tuple[str, str, float, float]]:
    return ((scalar.tag, "step", scalar.step, scalar.value) for scalar in read_scalars(content))


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
