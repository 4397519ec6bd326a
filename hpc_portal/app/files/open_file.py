"""Open what a job left behind without trusting it: by descriptor, step by step, never through a link."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hpc_portal.app.errors import FileNotInWorkspace

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""NONBLOCK: opening a FIFO that nobody writes must not hang; for regular files it means nothing."""


@contextlib.contextmanager
def open_folder(root: Path, workspace: str, relative: str = "") -> Iterator[int]:
    """A descriptor of a folder in a job's workspace.

    Raises:
        FileNotInWorkspace: there is none, the path leaves the workspace, or a part of it is a link.
    """
    inner = _parts(relative)
    with contextlib.ExitStack() as stack:
        try:
            folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, folder)
            for part in (*PurePosixPath(workspace).parts, *inner):
                folder = os.open(part, _FOLDER, dir_fd=folder)
                stack.callback(os.close, folder)
        except OSError as error:
            raise FileNotInWorkspace(relative or ".") from error
        yield folder


@contextlib.contextmanager
def open_file(root: Path, workspace: str, relative: str) -> Iterator[int]:
    """A descriptor of a regular file in a job's workspace.

    Raises:
        FileNotInWorkspace: there is none, the path leaves the workspace, or any part of it is a link, a
            device, a socket or a pipe.
    """
    parts = _parts(relative)
    if not parts:
        raise FileNotInWorkspace(relative)
    with open_folder(root, workspace, "/".join(parts[:-1])) as folder:
        try:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
        except OSError as error:
            raise FileNotInWorkspace(relative) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotInWorkspace(relative)
        yield descriptor
    finally:
        os.close(descriptor)


def _parts(relative: str) -> tuple[str, ...]:
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts or "\0" in relative:
        raise FileNotInWorkspace(relative)
    return path.parts
