"""Reading a job's workspace, all of it written by a tenant: no link is followed, nothing is read whole.

The reader runs in the portal's process. A job could leave `logs -> /etc` or a FIFO as its log.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_text(workspace: Path, relative: str, *, max_bytes: int) -> str | None:
    """At most the first `max_bytes` of a regular file; None when there is no such file.

    Bytes that are no UTF-8 become U+FFFD.
    """
    content = read_bytes(workspace, relative, max_bytes=max_bytes)
    return None if content is None else content.decode("utf-8", errors="replace")


def read_bytes(workspace: Path, relative: str, *, max_bytes: int) -> bytes | None:
    """At most the first `max_bytes` of a regular file; None when there is no such file."""
    parts = PurePosixPath(relative).parts
    try:
        with _directory(workspace, parts[:-1]) as folder:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return None
                return file.read(max_bytes)
    except OSError:
        return None


def read_ends(workspace: Path, relative: str, *, max_bytes: int) -> tuple[bytes, bytes] | None:
    """The beginning and, of a file longer than `max_bytes`, the end; None when there is no such regular file.

    A quarter is read of the beginning, the rest of the end; the end begins at a line of its own.
    """
    parts = PurePosixPath(relative).parts
    try:
        with _directory(workspace, parts[:-1]) as folder:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    return None
                if status.st_size <= max_bytes:
                    return file.read(max_bytes), b""
                begin = file.read(max_bytes // 4)
                file.seek(status.st_size - (max_bytes - len(begin)))
                return begin, file.read(max_bytes - len(begin)).partition(b"\n")[2]
    except (OSError, IndexError):
        return None


def list_files(workspace: Path, directory: str = ".") -> list[str]:
    """Names of the regular files directly in a directory, sorted; [] when there is no such directory."""
    try:
        with _directory(workspace, PurePosixPath(directory).parts) as folder, os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError:
        return []


def list_folders(workspace: Path, directory: str = ".") -> list[str]:
    """Names of the folders directly in a directory, sorted; [] when there is no such directory."""
    try:
        with _directory(workspace, PurePosixPath(directory).parts) as folder, os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


@contextmanager
def _directory(workspace: Path, parts: tuple[str, ...]) -> Iterator[int]:
    descriptor = os.open(workspace, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        for part in parts:
            inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
