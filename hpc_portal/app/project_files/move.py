"""Rename a file or folder of a project's, or move it into another folder."""

import errno
import os
from pathlib import PurePosixPath

from sqlalchemy import Connection

from hpc_portal.app import audit
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import FileExists, FileNotInWorkspace, InvalidEntry, Problem
from hpc_portal.app.files.given_path import given_path
from hpc_portal.app.files.make_folders import descend_from
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.files.rename_new import rename_new
from hpc_portal.app.files.shared_folder import OPEN_MODE
from hpc_portal.app.project_files.place import FilesPlace, files_to_change
from hpc_portal.app.services import Services
from schedulers.project_files import NAME
from workloads.template import N_

_INTO_ITSELF = N_("A folder cannot be moved into itself.")


def move_file(services: Services, actor: Actor, account: str, path: str, to: str) -> PurePosixPath:
    """Give it another path; folders on the way are made. Returns the path as it is kept.

    Raises:
        ProjectNotFound, NotAllowed: see `files_to_change`.
        FileNotInWorkspace: there is nothing at `path`.
        InvalidEntry: see `given_path`; or it is a folder, and would lie in itself.
        FileExists: something has the new path already. It is never overwritten.
    """
    place = files_to_change(services, actor, account)
    target = given_path(to, field="to")
    source = PurePosixPath(path.strip("/"))
    if source == target:
        return target
    if source in target.parents:
        raise InvalidEntry([Problem("to", _INTO_ITSELF)])
    now = services.clock.now()
    is_moved = False

    def work(connection: Connection) -> None:
        nonlocal is_moved
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="file.moved",
            subject=account,
            file=str(target),
            was={"file": str(source)},
        )
        if not is_moved:  # a transaction may be repeated
            _rename(place, source, target)
            is_moved = True

    transact(services.engine, work)
    return target


def _rename(place: FilesPlace, source: PurePosixPath, target: PurePosixPath) -> None:
    with open_folder(place.root, place.folder, str(source.parent)) as before:
        try:
            os.stat(source.name, dir_fd=before, follow_symlinks=False)
        except OSError as error:
            raise FileNotInWorkspace(str(source)) from error
        try:
            with place.gate() as gate, descend_from(gate, NAME / target.parent, mode=OPEN_MODE) as after:
                rename_new(source.name, target.name, source_folder=before, target_folder=after)
                os.fsync(after)
        except FileExistsError as error:
            raise FileExists(str(target), is_folder=True) from error
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                raise FileExists(str(target.parent)) from error
            raise
