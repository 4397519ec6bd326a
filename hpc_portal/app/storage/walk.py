"""Walks a folder and all below it to see how much lies there, a few entries at a time.

It is entered by descriptors that never follow a link, and left the same way (`..` of an open folder, checked
against where it came from), so that nothing that a tenant's jobs rename or link meanwhile leads out of it,
and no depth of folders uses up descriptors or the length of a path.
"""

import os
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from quotas.measured_storage import Measured

ENTRIES_PER_TURN = 2000
_BLOCK_BYTES = 512
"""What `st_blocks` counts, whatever the file system's blocks are; see stat(2)."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (FileNotFoundError, NotADirectoryError)
"""Removed, or something else put in its place, since its name was read."""

Identity = tuple[int, int]
"""Device and inode."""


@dataclass(slots=True)
class _Level:
    """A folder on the way from the top to where the walk is."""

    name: str
    identity: Identity
    to_enter: list[str] = field(default_factory=list)
    """Folders in it that were not entered yet."""


@dataclass(slots=True)
class _Sum:
    allocated_bytes: int = 0
    entries: int = 0
    unreadable: int = 0
    linked: set[Identity] = field(default_factory=set)
    """Files with several names that were counted under one of them."""

    def add(self, seen: os.stat_result) -> None:
        self.entries += 1
        if seen.st_nlink > 1 and not stat.S_ISDIR(seen.st_mode):
            identity = seen.st_dev, seen.st_ino
            if identity in self.linked:
                return
            self.linked.add(identity)
        self.allocated_bytes += seen.st_blocks * _BLOCK_BYTES

    def result(self) -> Measured:
        return Measured(self.allocated_bytes, self.entries, self.unreadable)


def walk(
    root: Path, parts: Iterable[str], *, entries_per_turn: int = ENTRIES_PER_TURN
) -> Generator[None, None, Measured]:
    """Measure the folder that `parts` lead to from `root`; yields whenever so many entries were looked at.

    What vanishes on the way is not counted, and a folder that cannot be read counts as such. A folder that is
    not there has nothing in it. Close the generator to give up.
    """
    total = _Sum()
    try:
        top = _open_below(root, parts)
    except _GONE:
        return total.result()
    except OSError:
        total.unreadable += 1
        return total.result()
    place = _Place(top, total)
    try:
        since_yield = 0
        for _ in place.entries():
            since_yield += 1
            if since_yield >= entries_per_turn:
                since_yield = 0
                yield
    finally:
        place.close()
    return total.result()


class _Place:
    """Where a walk is: one open folder beside the top, and the names that led there."""

    def __init__(self, top: int, total: _Sum) -> None:
        self._top, self._here, self._total = top, os.dup(top), total
        seen = os.fstat(top)
        total.add(seen)
        self._levels = [_Level("", (seen.st_dev, seen.st_ino))]

    def close(self) -> None:
        """Of whatever the walk came to."""
        os.close(self._here)
        os.close(self._top)

    def entries(self) -> Iterator[None]:
        """Visit everything; one for each entry."""
        yield from self._read()
        while self._levels:
            level = self._levels[-1]
            if not level.to_enter:
                self._levels.pop()
                if self._levels:
                    self._go_up()
            elif self._enter(level.to_enter.pop()):
                yield from self._read()

    def _read(self) -> Iterator[None]:
        """Count what is in the folder, and note which folders are."""
        level = self._levels[-1]
        with self._counting_unreadable(), os.scandir(self._here) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    seen = entry.stat(follow_symlinks=False)
                    self._total.add(seen)
                    if stat.S_ISDIR(seen.st_mode):
                        level.to_enter.append(entry.name)
                yield

    def _enter(self, name: str) -> bool:
        """Into a folder of this one; False where that is not possible any more."""
        with self._counting_unreadable(), suppress(*_GONE):
            below = os.open(name, _FOLDER, dir_fd=self._here)
            self._move_to(below)
            seen = os.fstat(below)
            self._levels.append(_Level(name, (seen.st_dev, seen.st_ino)))
            return True
        return False

    def _go_up(self) -> None:
        """To the folder that this one was entered from, or as near to it as it can still be found."""
        with suppress(OSError):
            above = os.open("..", _FOLDER, dir_fd=self._here)
            if _identity(above) == self._levels[-1].identity:
                self._move_to(above)
                return
            os.close(above)
        self._move_to(os.dup(self._top))
        for depth, level in enumerate(self._levels[1:], 1):
            try:
                below = os.open(level.name, _FOLDER, dir_fd=self._here)
            except OSError:
                below = None
            if below is not None and _identity(below) == level.identity:
                self._move_to(below)
                continue
            if below is not None:
                os.close(below)
            self._total.unreadable += sum(len(lost.to_enter) for lost in self._levels[depth:])
            del self._levels[depth:]
            return

    def _move_to(self, folder: int) -> None:
        os.close(self._here)
        self._here = folder

    @contextmanager
    def _counting_unreadable(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._total.unreadable += 1


def _open_below(root: Path, parts: Iterable[str]) -> int:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            below = os.open(part, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def _identity(folder: int) -> Identity:
    seen = os.fstat(folder)
    return seen.st_dev, seen.st_ino
