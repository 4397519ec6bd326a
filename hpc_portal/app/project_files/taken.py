"""Whether a name among a project's files is free, and giving it to an upload that is complete."""

import os
import stat
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from hpc_portal.app.errors import FileExists, FileNotInWorkspace
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.files.rename_new import rename_new
from hpc_portal.app.project_files.place import FilesPlace

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is complete, but for its name."""

    name: str
    """Its own, in the folder of uploads."""
    folder: int
    """A descriptor of that folder."""


def require_free(place: FilesPlace, path: PurePosixPath, *, size_bytes: int, overwrite: bool) -> None:
    """Refuse before bytes come what `give_name` would refuse after them.

    A file of the same size may be the same file sent again, which is only known at its end.

    Raises:
        FileExists: the name is taken, and not to be overwritten; or by a folder; or a file is on the way.
    """
    for above, below in pairwise(reversed((path, *path.parents))):
        try:
            with open_folder(place.root, place.folder, str(above)) as folder:
                found = os.stat(below.name, dir_fd=folder, follow_symlinks=False)
        except (FileNotInWorkspace, FileNotFoundError):
            return
        is_folder = stat.S_ISDIR(found.st_mode)
        if below != path:
            if not is_folder:
                raise FileExists(str(below))
        elif is_folder or not (overwrite or found.st_size == size_bytes):
            raise FileExists(str(below), is_folder=is_folder)


def size_of(folder: int, name: str) -> int | None:
    """The size of what has the name; None when it is free."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def give_name(upload: Upload, name: str, folder: int, *, path: str, overwrite: bool) -> None:
    """Let an upload appear in a folder under its name, in one step.

    Args:
        upload: what is complete.
        name: what it shall be called.
        folder: a descriptor of the folder in which.
        path: the same for people.
        overwrite: whether a file of that name may be replaced; those who have it open keep the old one.

    Raises:
        FileExists: another file has the name, or a folder.
    """
    try:
        if overwrite:
            os.rename(upload.name, name, src_dir_fd=upload.folder, dst_dir_fd=folder)
        else:
            rename_new(upload.name, name, source_folder=upload.folder, target_folder=folder)
    except (IsADirectoryError, NotADirectoryError):
        raise FileExists(path, is_folder=True) from None
    except FileExistsError:
        raise FileExists(path) from None


def is_same(descriptor: int, name: str, folder: int) -> bool:
    """Whether the file of that name has the same content: an upload may come again whose answer got lost."""
    try:
        other = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        seen = os.fstat(other)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size != os.fstat(descriptor).st_size:
            return False
        at = 0
        while piece := os.pread(descriptor, _PIECE_BYTES, at):
            if piece != os.pread(other, len(piece), at):
                return False
            at += len(piece)
        return True
    finally:
        os.close(other)
