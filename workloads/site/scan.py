"""Search what a task left behind for patterns: bounded in bytes, linear in them, never read whole."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workloads.site.document import LinePattern, MetricRule, ResultRules
from workloads.site.json_path import JsonPath
from workloads.site.patterns import Pattern, PatternSet
from workloads.template import Failure, Metric
from workloads.verdict import signature
from workloads.workspace import read_ends, read_text

MOST_BYTES = 64 * 1024**2
"""What is read of all tasks of a job together; each has the same share of it."""
MOST_BYTES_OF_A_FILE = 8 * 1024**2
LEAST_BYTES_OF_A_FILE = 64 * 1024
_MOST_BYTES_OF_A_LINE = 4096
_LARGEST_JSON_BYTES = 4 * 1024**2
_MOST_VALUES = 100_000

Names = Mapping[str, str]
"""What stands for `{task}`, `{row}` and `{column}` in file names."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the patterns found."""

    metrics: tuple[Metric, ...]
    failure: Failure | None
    is_passed: bool
    """Every pass pattern was seen; a template without any counts on the exit code alone."""


@dataclass(slots=True)
class _Rule:
    """One pattern and what it found so far."""

    pattern: Pattern
    values: list[str] = field(default_factory=list)
    count: int = 0


class Scanner:
    """The patterns of a template, compiled once."""

    def __init__(self, rules: ResultRules) -> None:
        self._rules = rules
        self._files = {
            *(one.file or rules.log for one in (*rules.pass_patterns, *rules.fail_patterns)),
            *(one.file or rules.log for one in rules.metrics.values() if one.pattern),
        }
        self._json = {name: JsonPath(one.json_path) for name, one in rules.metrics.items() if one.json_path}
        self._patterns = {text: Pattern(text) for text in self._texts()}
        self._sets = {
            file: PatternSet([self._patterns[text] for text in self._of(file)]) for file in self._files
        }

    def scan(self, workspace: Path, names: Names, *, max_bytes: int) -> Seen:
        """Search a task's files; of a longer one only its beginning and its end."""
        failure = None
        found: dict[tuple[str, str], _Rule] = {}
        for file in sorted(self._files):
            texts = self._of(file)
            rules = {text: _Rule(self._patterns[text]) for text in texts}
            fails = {
                one.pattern for one in self._rules.fail_patterns if (one.file or self._rules.log) == file
            }
            path = path_of(file, names)
            for number, line in _lines(workspace, path, max_bytes=max_bytes):
                for index in self._sets[file].found_in(line):
                    text = texts[index]
                    _note(rules[text], line)
                    if failure is None and text in fails:
                        failure = _failure(line, path, number)
            found |= {(file, text): rule for text, rule in rules.items()}
        return Seen(
            tuple(self._metrics(workspace, names, found)),
            failure,
            all(found[self._key(one)].count for one in self._rules.pass_patterns),
        )

    def _metrics(
        self, workspace: Path, names: Names, found: Mapping[tuple[str, str], _Rule]
    ) -> Iterator[Metric]:
        documents: dict[str, object] = {}
        for name, rule in self._rules.metrics.items():
            if rule.pattern:
                value = _taken(rule, found[(rule.file or self._rules.log, rule.pattern)])
            else:
                path = path_of(rule.file or self._rules.log, names)
                if path not in documents:
                    documents[path] = _read_json(workspace, path)
                value = _number(self._json[name].find(documents[path]))
            if value is not None:
                yield Metric(name, value, rule.unit)

    def _key(self, one: LinePattern) -> tuple[str, str]:
        return one.file or self._rules.log, one.pattern

    def _of(self, file: str) -> list[str]:
        """The patterns to search for in a file, each once, in order."""
        log = self._rules.log
        lines = [*self._rules.pass_patterns, *self._rules.fail_patterns]
        texts = [one.pattern for one in lines if (one.file or log) == file]
        texts += [
            one.pattern for one in self._rules.metrics.values() if one.pattern and (one.file or log) == file
        ]
        return list(dict.fromkeys(texts))

    def _texts(self) -> Iterator[str]:
        for file in self._files:
            yield from self._of(file)


def bytes_of_a_file(tasks: int) -> int:
    """How much is read of each file of a task when a job has so many."""
    return max(LEAST_BYTES_OF_A_FILE, min(MOST_BYTES_OF_A_FILE, MOST_BYTES // max(1, tasks)))


def path_of(file: str, names: Names) -> str:
    """The file's name for one task."""
    for name, value in names.items():
        file = file.replace(f"{{{name}}}", value)
    return file


def _lines(workspace: Path, path: str, *, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers from 1; 0 where what is before them was not read."""
    ends = read_ends(workspace, path, max_bytes=max_bytes)
    if ends is None:
        return
    for number, line in enumerate(ends[0].split(b"\n"), start=1):
        yield number, line[:_MOST_BYTES_OF_A_LINE].rstrip(b"\r")
    for line in ends[1].split(b"\n"):
        yield 0, line[:_MOST_BYTES_OF_A_LINE].rstrip(b"\r")


def _note(rule: _Rule, line: bytes) -> None:
    rule.count += 1
    if rule.pattern.groups and len(rule.values) < _MOST_VALUES:
        value = rule.pattern.group_in(line)
        if value is not None:
            rule.values.append(value)


def _failure(line: bytes, path: str, number: int) -> Failure:
    text = "".join(one for one in line.decode("utf-8", errors="replace") if one.isprintable() or one == "\t")
    return Failure(signature(text), text[:1000], path, number)


def _taken(rule: MetricRule, found: _Rule) -> float | None:
    if rule.take == "count":
        return float(found.count)
    numbers = [number for text in found.values if (number := _number(text)) is not None]
    if not numbers:
        return None
    return _TAKE[rule.take](numbers)


def _first(numbers: Sequence[float]) -> float:
    return numbers[0]


def _last(numbers: Sequence[float]) -> float:
    return numbers[-1]


_TAKE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "first": _first,
    "last": _last,
    "minimum": min,
    "maximum": max,
    "sum": math.fsum,
}


def _number(value: object) -> float | None:
    """A finite number, also from a text with commas between thousands."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_json(workspace: Path, path: str) -> object:
    text = read_text(workspace, path, max_bytes=_LARGEST_JSON_BYTES)
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):  # half written, or not JSON at all
        return None
