"""The facts that a shipped task script leaves behind: one name=value a line, complete or absent."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from workloads.scripts import shipped
from workloads.template import Artefact, Failure, TaskResult, Verdict
from workloads.verdict import signature
from workloads.workspace import list_files, read_text

_COUNT = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?")
_LARGEST_RESULT_BYTES = 64 * 1024


def task_script(*names: str) -> str:
    """A shipped task: the beginning that all have in common, then its own texts."""
    return "\n".join(map(shipped, ("task.sh", *names)))


def ended_tasks(workspace: Path, indices: Iterable[int], folder: str = "results") -> list[int]:
    """Those of the indices whose tasks have ended by themselves; a task that was killed left no facts."""
    ended = {int(name) for name in list_files(workspace, folder) if _COUNT.fullmatch(name)}
    return [index for index in indices if index in ended]


def read_facts(workspace: Path, index: int, folder: str = "results") -> dict[str, str]:
    """What the task wrote down; {} when it is no such file."""
    text = read_text(workspace, f"{folder}/{index}", max_bytes=_LARGEST_RESULT_BYTES) or ""
    facts = dict(line.partition("=")[::2] for line in text.split("\n") if "=" in line)
    return facts if _COUNT.fullmatch(facts.get("exit_code", "")) else {}


def count(facts: Mapping[str, str], name: str) -> int | None:
    """A whole number that is not negative; None when there is none."""
    text = facts.get(name, "")
    return int(text) if _COUNT.fullmatch(text) else None


def number(text: str | None) -> float | None:
    """A finite decimal number; None for anything else, such as `nan`, `failed` or nothing."""
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def missing_tool(
    facts: Mapping[str, str], index: int, label: str, folder: str = "results"
) -> TaskResult | None:
    """The result of a task whose node has not the tool; None when it had all it needed."""
    tool = facts.get("missing_tool")
    if tool is None:
        return None
    line = f"the node has no {tool}: ask its administrator, or choose another partition"
    failure = Failure(f"tool missing: {tool[:64]}", line, f"{folder}/{index}", 1)
    return TaskResult(index, label, Verdict.FAIL, failure=failure)


def failure(facts: Mapping[str, str], *, otherwise: str, file: str) -> Failure:
    """Why the task failed: the line that it noted, else what `otherwise` says about `file`."""
    line = facts.get("fail_line")
    if line is None:
        return Failure(otherwise, otherwise, file, 0)
    return Failure(signature(line), line, facts.get("fail_file", file), count(facts, "fail_line_number") or 0)


def present(workspace: Path, folder: str, kinds: Mapping[str, str]) -> tuple[Artefact, ...]:
    """Those files of a folder that exist, as artefacts; `kinds` is kind by name."""
    names = frozenset(list_files(workspace, folder))
    return tuple(Artefact(f"{folder}/{name}", kind) for name, kind in kinds.items() if name in names)
