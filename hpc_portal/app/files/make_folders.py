"""Make and enter folders by descriptor, step by step and never through a link."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


@contextlib.contextmanager
def descend(root: Path, relative: PurePosixPath, *, mode: int) -> Iterator[int]:
    """A descriptor of a folder below `root`, which must be there; missing parts are made with `mode`.

    Raises:
        OSError: a part of the path is a link or no folder.
    """
    start = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with descend_from(start, relative, mode=mode) as folder:
            yield folder
    finally:
        os.close(start)


@contextlib.contextmanager
def descend_from(
    start: int, relative: PurePosixPath, *, mode: int, owner: int | None = None
) -> Iterator[int]:
    """A descriptor of the folder `relative` to `start`, whose missing parts are made."""
    with contextlib.ExitStack() as stack:
        current = start
        for part in relative.parts:
            current = stack.enter_context(enter(current, part, mode=mode, owner=owner))
        yield current


@contextlib.contextmanager
def enter(parent: int, name: str, *, mode: int, owner: int | None = None) -> Iterator[int]:
    """A descriptor of one folder in `parent`, made when missing; one that is there keeps its mode."""
    made = False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
        made = True
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        is_still_ours = owner is not None and os.fstat(folder).st_uid == os.geteuid() != owner
        if owner is not None and is_still_ours:  # just made, or whoever made it died right after
            os.fchown(folder, owner, -1)
        if made or is_still_ours:
            os.fchmod(folder, mode)  # the umask may have taken bits away, and so does chown
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def opened(parent: int, name: str) -> Iterator[int]:
    """A descriptor of a folder in `parent` that is there.

    Raises:
        OSError: there is none, or it is a link or no folder.
    """
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)
