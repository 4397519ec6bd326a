"""Send a file of a workspace piece by piece; it is never in memory as a whole."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpc_portal.app.files.open_file import open_file

_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file's size when it was opened, and its bytes up to that size."""

    size_bytes: int
    pieces: Iterator[bytes]
    """Closes the file when it is exhausted or dropped."""


def read_file(root: Path, workspace: str, relative: str) -> OpenedFile:
    """Open a file for sending.

    Exactly `size_bytes` are sent, also when the job goes on writing, so that a Content-Length stays true.

    Raises:
        FileNotInWorkspace: see `open_file`; before anything is sent.
    """
    with open_file(root, workspace, relative) as descriptor:
        kept = os.dup(descriptor)
    size = os.fstat(kept).st_size
    return OpenedFile(size, _pieces(kept, size))


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        left = size
        while left and (piece := file.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            yield piece
