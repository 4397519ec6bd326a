"""Lines of a log as its page shows them: rendered by the server, built from the same facts in a browser."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpc_portal.app.files.read_log import LogWindow
from hpc_portal.app.files.search_log import ERRORS, SUCCESSES, WARNINGS
from hpc_portal.web.ansi import Part, parts_of

_BLOCK = 250


@dataclass(frozen=True, slots=True)
class ShownLine:
    """One line; numbers start at 1, as editors count."""

    number: int
    tone: str
    parts: Sequence[Part]
    hidden_bytes: int


@dataclass(frozen=True, slots=True)
class ShownLog:
    """A window of a log."""

    first_line: int
    next_line: int
    total: int
    is_at_end: bool
    blocks: tuple[tuple[ShownLine, ...], ...]


def show_window(window: LogWindow, total: int) -> ShownLog:
    """Lines with their numbers and tones, in blocks of a size."""
    lines = _shown(window)
    blocks = tuple(tuple(lines[start : start + _BLOCK]) for start in range(0, len(lines), _BLOCK))
    return ShownLog(window.first_line, window.next_line, total, window.is_at_end, blocks)


def lines_as_json(window: LogWindow) -> list[Any]:
    """Of each line its text, or `[tone, [[text, classes, fg, bg], ...], hidden bytes]` if it has a look."""
    return [_compact(line) for line in _shown(window)]


def _shown(window: LogWindow) -> list[ShownLine]:
    return [
        ShownLine(number + 1, _tone(parts), parts, window.hidden_bytes.get(number, 0))
        for number, text in enumerate(window.lines, start=window.first_line)
        for parts in [parts_of(text)]
    ]


def _compact(line: ShownLine) -> Any:  # noqa: ANN401 - JSON
    if not line.tone and not line.hidden_bytes and all(not _has_look(part) for part in line.parts):
        return "".join(part.text for part in line.parts)
    parts = [[part.text, part.classes, part.fg, part.bg] for part in line.parts]
    return [line.tone, parts, line.hidden_bytes]


def _has_look(part: Part) -> bool:
    return bool(part.classes or part.fg or part.bg)


def _tone(parts: Sequence[Part]) -> str:
    text = "".join(part.text for part in parts)
    if ERRORS.is_in(text):
        return "is-error"
    if WARNINGS.is_in(text):
        return "is-warning"
    return "is-good" if SUCCESSES.is_in(text) else ""
