"""What a file of a workspace looks like, from its first bytes: text, a table, an image, waves, curves."""

import csv
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath

from hpc_portal.app.files.open_file import open_file
from hpc_portal.app.files.waves import looks_like_waves
from workloads.curves import LARGEST_BYTES, curves_in, may_have_curves
from workloads.template import Series

MOST_BYTES = 256 * 1024
"""So much of a file is looked at."""
MOST_ROWS = 500
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}


class PreviewKind(StrEnum):
    """How it is shown."""

    TEXT = "text"
    TABLE = "table"
    IMAGE = "image"
    """By the browser, from the file itself."""
    CURVES = "curves"
    """Numbers over steps or epochs."""
    WAVES = "waves"
    """A waveform; see `waves`."""
    NOTHING = "nothing"
    """Bytes that are no text."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A look at a file."""

    kind: PreviewKind
    size_bytes: int
    is_whole: bool
    """Whether nothing of the file is missing here."""
    text: str = ""
    """Of a text; bytes that are not UTF-8 are shown as U+FFFD. JSON is laid out anew when it is whole."""
    rows: Sequence[Sequence[str]] = ()
    """Of a table; the first row is its head."""
    series: Sequence[Series] = ()
    """Of curves."""


def preview_file(root: Path, workspace: str, relative: str) -> Preview:
    """Look at the first `MOST_BYTES` of a file, for curves at more; its name tells only kinds of text apart.

    Raises:
        FileNotInWorkspace: see `open_file`.
    """
    name = PurePosixPath(relative).name
    with open_file(root, workspace, relative) as descriptor, open(descriptor, "rb", closefd=False) as file:
        data = file.read(MOST_BYTES)
        rest = file.read(LARGEST_BYTES - len(data)) if may_have_curves(name) else b""
        size = file.seek(0, io.SEEK_END)
    found = preview_bytes(data, size=size, name=name)
    series = curves_in(name, data + rest) if may_have_curves(name) else ()
    if not series:
        return found
    return replace(found, kind=PreviewKind.CURVES, series=series, is_whole=len(data) + len(rest) >= size)


def preview_bytes(data: bytes, *, size: int, name: str) -> Preview:
    """The same for the beginning of a file of `size` bytes. Pure."""
    is_whole = len(data) >= size
    if data.startswith(_BEGINNINGS) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        return Preview(PreviewKind.IMAGE, size, is_whole=True)
    if looks_like_waves(data, name):
        return Preview(PreviewKind.WAVES, size, is_whole=False)
    if b"\0" in data:
        return Preview(PreviewKind.NOTHING, size, is_whole=False)
    text = data.decode("utf-8-sig", errors="replace" if is_whole else "ignore")
    suffix = PurePosixPath(name).suffix.lower()
    if separator := _SEPARATORS.get(suffix):
        return _table(text, separator, size, is_whole=is_whole)
    if suffix == ".json" and is_whole:
        text = _laid_out(text)
    return Preview(PreviewKind.TEXT, size, is_whole, text=text)


def _table(text: str, separator: str, size: int, *, is_whole: bool) -> Preview:
    if not is_whole:
        text = text[: text.rfind("\n") + 1]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = list(itertools.islice(lines, MOST_ROWS + 1))
    except csv.Error:
        return Preview(PreviewKind.TEXT, size, is_whole, text=text)
    return Preview(PreviewKind.TABLE, size, is_whole and len(rows) <= MOST_ROWS, rows=rows[:MOST_ROWS])


def _laid_out(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text
