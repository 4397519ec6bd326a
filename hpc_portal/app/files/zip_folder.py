"""Send a folder of a workspace as a zip file, piece by piece; it is never on disk or in memory as a whole."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from hpc_portal.app.errors import FileNotInWorkspace, InvalidEntry, Problem
from hpc_portal.app.files.list_files import Entry, EntryKind, list_files
from hpc_portal.app.files.read_file import read_file
from schedulers.units import CITY_TIME
from workloads.template import N_

MOST_FILES = 20_000
_TOO_MANY = N_("The folder has more than %(most)s files; take its folders one by one.")
_FIRST_YEAR = 1980
"""Zip knows no earlier one."""
_FAST = 1


def zip_folder(root: Path, workspace: str, relative: str = "") -> Iterator[bytes]:
    """The zip file's bytes. Links, pipes and devices are left out, and what the job removes meanwhile.

    Raises:
        FileNotInWorkspace: there is no such folder; before anything is sent.
        InvalidEntry: there are more than `MOST_FILES`; before anything is sent.
    """
    files: list[Entry] = []
    for entry in _walk(root, workspace, relative):
        files.append(entry)
        if len(files) > MOST_FILES:
            raise InvalidEntry([Problem("path", _TOO_MANY, {"most": MOST_FILES})])
    return _pieces(root, workspace, files, cut=len(relative.strip("/")))


def _walk(root: Path, workspace: str, relative: str) -> Iterator[Entry]:
    folders = [relative]
    while folders:
        folder, after = folders.pop(), ""
        while True:
            listing = list_files(root, workspace, folder, after=after)
            folders += [entry.path for entry in listing.entries if entry.is_folder]
            yield from (entry for entry in listing.entries if entry.kind is EntryKind.FILE)
            if listing.next_after is None:
                break
            after = listing.next_after


def _pieces(root: Path, workspace: str, files: list[Entry], *, cut: int) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:  # type: ignore[call-overload]
        for entry in files:
            try:
                opened = read_file(root, workspace, entry.path)
            except FileNotInWorkspace:
                continue
            with archive.open(_facts(entry, cut), "w", force_zip64=True) as packed:
                for piece in opened.pieces:
                    packed.write(piece)
                    yield sink.take()
    yield sink.take()


def _facts(entry: Entry, cut: int) -> zipfile.ZipInfo:
    """A name that is one path also where backslashes separate folders."""
    at = entry.changed_at.astimezone(CITY_TIME)
    moment = (max(at.year, _FIRST_YEAR), *at.timetuple()[1:6])
    facts = zipfile.ZipInfo(entry.path[cut:].lstrip("/").replace("\\", "_"), moment)
    facts.compress_type = zipfile.ZIP_DEFLATED
    return facts


class _Sink:
    """What zipfile writes to: it keeps the bytes until somebody takes them."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        self._kept += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def take(self) -> bytes:
        """All that was written since the last call."""
        found, self._kept = bytes(self._kept), bytearray()
        return found
