"""Delete a file, or a folder with all that is below it, and say before what that destroys."""

import contextlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import Connection

from hpc_portal.app import audit
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.make_folders import opened
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.files.shared_folder import UPLOADS
from hpc_portal.app.project_files.place import FilesPlace, files_to_change
from hpc_portal.app.services import Services
from hpc_portal.app.storage.walk import walk
from quotas.measured_storage import ask_to_measure


@dataclass(frozen=True, slots=True)
class WhatIsThere:
    """What a deletion destroys."""

    path: str
    is_folder: bool
    files: int
    """Files and folders, itself among them."""
    size_bytes: int
    """Of a file its length, of a folder the blocks that all below it has."""


def what_is_there(place: FilesPlace, path: str) -> WhatIsThere:
    """Look at a file, or walk through a folder.

    Raises:
        FileNotInWorkspace: there is nothing at that path.
    """
    wanted = _wanted(path)
    with open_folder(place.root, place.folder, str(wanted.parent)) as folder:
        try:
            found = os.stat(wanted.name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise FileNotInWorkspace(path) from error
    if not stat.S_ISDIR(found.st_mode):
        return WhatIsThere(str(wanted), is_folder=False, files=1, size_bytes=found.st_size)
    steps = walk(place.root, (*PurePosixPath(place.folder).parts, *wanted.parts))
    while True:
        try:
            next(steps)
        except StopIteration as over:
            return WhatIsThere(
                str(wanted), is_folder=True, files=over.value.entries, size_bytes=over.value.allocated_bytes
            )


def remove_file(services: Services, actor: Actor, account: str, path: str) -> WhatIsThere:
    """Delete it for good. It vanishes in one step; what a broken process left of a folder is swept later.

    Raises:
        ProjectNotFound, NotAllowed: see `files_to_change`.
        FileNotInWorkspace: there is nothing at that path.
    """
    place = files_to_change(services, actor, account)
    found = what_is_there(place, path)
    wanted = PurePosixPath(found.path)
    now, grave = services.clock.now(), f"deleted-{secrets.token_hex(16)}"
    is_gone = False

    def work(connection: Connection) -> None:
        nonlocal is_gone
        ask_to_measure(connection, place.project.id, at=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="file.deleted",
            subject=account,
            file=found.path,
            entries=found.files,
            bytes=found.size_bytes,
        )
        if not is_gone:  # a transaction may be repeated
            _bury(place, wanted, grave)
            is_gone = True

    transact(services.engine, work)
    with place.gate() as gate, opened(gate, UPLOADS) as uploads:
        destroy(grave, uploads)
    return found


def destroy(name: str, folder: int) -> None:
    """Delete whatever has that name in a folder; nothing to delete is no error. No link is followed."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(name, dir_fd=folder)


def _bury(place: FilesPlace, wanted: PurePosixPath, grave: str) -> None:
    with (
        open_folder(place.root, place.folder, str(wanted.parent)) as folder,
        place.gate() as gate,
        opened(gate, UPLOADS) as uploads,
    ):
        try:
            os.rename(wanted.name, grave, src_dir_fd=folder, dst_dir_fd=uploads)
        except FileNotFoundError as error:
            raise FileNotInWorkspace(str(wanted)) from error
        os.utime(grave, dir_fd=uploads, follow_symlinks=False)
        os.fsync(folder)


def _wanted(path: str) -> PurePosixPath:
    wanted = PurePosixPath(path)
    if not wanted.parts or wanted.is_absolute() or ".." in wanted.parts or "\0" in path:
        raise FileNotInWorkspace(path)
    return wanted
