"""A job's own folder: where it lies, and filling it before the job starts."""

import contextlib
import os
import secrets
from collections import Counter
from pathlib import Path, PurePosixPath
from uuid import UUID

from hpc_portal.app.errors import Problem
from hpc_portal.app.files.make_folders import descend, descend_from, enter
from schedulers.job_variables import SCRIPT_NAME
from schedulers.jobspec import JobSpec

_MOST_NAME_BYTES = 230
"""File systems allow 255; ours get a suffix while they are written."""
SHARED_MODE = 0o711
"""Folders above a job's own: another cluster user may pass through, but not list them."""
_OWN_MODE = 0o700
_GIVEN_MODE = 0o2770
"""A folder that is given to a job's account: what appears in it keeps the portal's group."""
_FILE_MODE, _PROGRAM_MODE = 0o640, 0o750
"""A node gives the files to the job's own account; the group stays the portal's, which can go on reading."""


def workspace_path(*, organisation: str, account: str, cluster_user: str, job_id: UUID) -> str:
    """Where a job's folder lies, relative to the workspace root."""
    folder = "/".join(project_folder(organisation=organisation, account=account))
    return f"{folder}/{cluster_user}/{job_id}"


def project_folder(*, organisation: str, account: str) -> tuple[str, str]:
    """The names that lead from the workspace root to all that a project's jobs have written."""
    return organisation, account


def layout_problems(spec: JobSpec) -> list[Problem]:
    """Inputs and outputs that no folder can hold as asked; told before dispatch meets them."""
    named = [("inputs", item.path) for item in spec.inputs]
    named += [("stdout_path", spec.stdout_path or "x"), ("stderr_path", spec.stderr_path or "x")]
    found = []
    for field, text in named:
        parts = PurePosixPath(text).parts
        if not parts:
            found.append(Problem(field, "%(path)r names no file.", {"path": text}))
        elif any(len(part.encode()) > _MOST_NAME_BYTES for part in parts):
            found.append(
                Problem(field, "A name in it is longer than %(most)s bytes.", {"most": _MOST_NAME_BYTES})
            )
    files = Counter(PurePosixPath(item.path) for item in spec.inputs)
    if spec.script is not None:
        files[PurePosixPath(SCRIPT_NAME)] += 1
    folders = {parent for file in files for parent in file.parents}
    for path in _folders_named_by(spec):
        folders |= {path, *path.parents}
    found += [
        Problem("inputs", "%(file)s is there twice.", {"file": str(file)})
        for file, times in files.items()
        if times > 1
    ]
    found += [
        Problem("inputs", "%(file)s cannot be a file and a folder.", {"file": str(file)})
        for file in files
        if file.parts and file in folders
    ]
    return found


def prepare_workspace(root: Path, relative: str, spec: JobSpec, *, owner: int | None = None) -> Path:
    """Make the job's folder with its script and inputs; returns its absolute path.

    Idempotent, also while the job is running: a file that is there already is complete (files appear under
    their name by one rename) and is left as it is. Folders are entered by descriptor and never through a
    symbolic link, so that a link planted by an earlier job leads nowhere.

    Args:
        root: the workspace root; made when missing.
        relative: the folder as `workspace_path` gave it.
        spec: what to write there.
        owner: uid that the folder and all in it shall belong to; the group stays the portal's, which so can
            go on reading. None: a node sees to that itself.

    Raises:
        OSError: a part of the path is a link or no folder, the disk is full, or the portal may not give
            files away (CAP_CHOWN).
    """
    root.mkdir(parents=True, exist_ok=True)
    parents, name = PurePosixPath(relative).parent, PurePosixPath(relative).name
    with contextlib.ExitStack() as stack:
        above = stack.enter_context(descend(root, parents, mode=SHARED_MODE))
        mode = _OWN_MODE if owner is None else _GIVEN_MODE
        home = stack.enter_context(enter(above, name, mode=mode, owner=owner))
        if spec.script is not None:
            _write(home, SCRIPT_NAME, spec.script, mode=_PROGRAM_MODE, owner=owner)
        for item in spec.inputs:
            path = PurePosixPath(item.path)
            file_mode = _PROGRAM_MODE if item.executable else _FILE_MODE
            with descend_from(home, path.parent, mode=mode, owner=owner) as folder:
                _write(folder, path.name, item.content, mode=file_mode, owner=owner)
        for folder_path in _folders_named_by(spec):
            with descend_from(home, folder_path, mode=mode, owner=owner):
                pass
    return root / relative


def _folders_named_by(spec: JobSpec) -> list[PurePosixPath]:
    """Folders that must exist before the program starts; those with a pattern in their name are not known."""
    outputs = [PurePosixPath(path).parent for path in (spec.stdout_path, spec.stderr_path) if path]
    return [PurePosixPath(spec.working_directory), *(path for path in outputs if "%" not in str(path))]


def _write(folder: int, name: str, content: str, *, mode: int, owner: int | None) -> None:
    """Make a file appear complete under its name; one that exists (or a link planted there) stays."""
    with contextlib.suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return
    temporary = f".{name}.{secrets.token_hex(4)}"
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder
    )
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            if owner is not None:
                os.fchown(descriptor, owner, -1)
            os.fchmod(descriptor, mode)
            file.write(content)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
