"""Find files among a project's by a part of their path, for whoever chooses inputs of a job."""

from pathlib import Path

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.list_files import Entry, EntryKind, list_files

_MOST_SEEN = 20_000
"""Entries looked at: a search answers within a moment, also where a million files lie."""


def search_files(
    root: Path, folder: str, text: str, *, below: str = "", limit: int = 100
) -> tuple[list[Entry], bool]:
    """The files below a folder whose path has `text` in it, whatever its case; and whether these are all."""
    needle, seen = text.casefold(), 0
    found: list[Entry] = []
    folders = [below]
    while folders:
        try:
            entries = list_files(root, folder, folders.pop(0), limit=_MOST_SEEN).entries
        except FileNotInWorkspace:
            continue
        for entry in entries:
            seen += 1
            if entry.is_folder:
                folders.append(entry.path)
            elif entry.kind is EntryKind.FILE and needle in entry.path.casefold():
                found.append(entry)
            if len(found) >= limit or seen >= _MOST_SEEN:
                return found, False
    return found, True
