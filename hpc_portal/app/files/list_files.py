"""List a folder of a job's workspace, a page at a time: a campaign may leave 100,000 logs."""

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from hpc_portal.app.files.open_file import open_folder


class EntryKind(StrEnum):
    """What an entry is; only files can be read and only folders entered."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    """A pipe, a socket, a device."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder."""

    name: str
    path: str
    """Relative to the workspace."""
    kind: EntryKind
    size_bytes: int
    changed_at: datetime

    @property
    def is_folder(self) -> bool:
        """Whether it can be entered."""
        return self.kind is EntryKind.FOLDER


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries by name, and the name to go on after; None when there are no more."""

    entries: tuple[Entry, ...]
    next_after: str | None


def list_files(
    root: Path, workspace: str, relative: str = "", *, after: str = "", limit: int = 500
) -> Listing:
    """Entries of a folder whose names come after `after`. Names that are not UTF-8 are left out.

    Raises:
        FileNotInWorkspace: there is no such folder, or a part of the path is a link.
    """
    with open_folder(root, workspace, relative) as folder:
        names = sorted(name for name in os.listdir(folder) if name > after and _is_text(name))  # noqa: PTH208 - by descriptor
        entries = [entry for name in names[: limit + 1] if (entry := _entry(folder, relative, name))]
    has_more = len(names) > limit
    return Listing(tuple(entries[:limit]), names[limit - 1] if has_more else None)


def _entry(folder: int, relative: str, name: str) -> Entry | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:  # the job removed it meanwhile
        return None
    return Entry(
        name=name,
        path=f"{relative.strip('/')}/{name}".removeprefix("/"),
        kind=_kind(found.st_mode),
        size_bytes=found.st_size if stat.S_ISREG(found.st_mode) else 0,
        changed_at=datetime.fromtimestamp(found.st_mtime, UTC),
    )


def _kind(mode: int) -> EntryKind:
    if stat.S_ISREG(mode):
        return EntryKind.FILE
    if stat.S_ISDIR(mode):
        return EntryKind.FOLDER
    return EntryKind.LINK if stat.S_ISLNK(mode) else EntryKind.OTHER


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
