"""A job's own folder: where it lies, and filling it before the job starts."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from uuid import UUID

from schedulers.jobspec import JobSpec

SCRIPT_NAME = "job.sh"
"""The job's script, at the top of its workspace."""

_SHARED_MODE = 0o711
"""Folders above a job's own: another cluster user may pass through, but not list them."""
_OWN_MODE = 0o700


def workspace_path(*, organisation: str, account: str, cluster_user: str, job_id: UUID) -> str:
    """Where a job's folder lies, relative to the workspace root."""
    return f"{organisation}/{account}/{cluster_user}/{job_id}"


def prepare_workspace(
    root: Path, relative: str, spec: JobSpec, *, owner: tuple[int, int] | None = None
) -> Path:
    """Make the job's folder with its script and inputs; returns its absolute path.

    Idempotent, also while the job is running: a file that is there already is complete (files appear under
    their name by one rename) and is left as it is. Folders are entered by descriptor and never through a
    symbolic link, so that a link planted by an earlier job leads nowhere.

    Args:
        root: the workspace root; made when missing.
        relative: the folder as `workspace_path` gave it.
        spec: what to write there.
        owner: numeric user and group that the folder and files are given to; only root can do that.

    Raises:
        OSError: a part of the path is a link or no folder, or the disk is full.
    """
    root.mkdir(parents=True, exist_ok=True)
    parents, name = PurePosixPath(relative).parent, PurePosixPath(relative).name
    with contextlib.ExitStack() as stack:
        above = stack.enter_context(_descend(root, parents, mode=_SHARED_MODE, owner=None))
        home = stack.enter_context(_enter(above, name, mode=_OWN_MODE, owner=owner))
        if spec.script is not None:
            _write(home, SCRIPT_NAME, spec.script, mode=0o700, owner=owner)
        for item in spec.inputs:
            path = PurePosixPath(item.path)
            with _descend_from(home, path.parent, mode=_OWN_MODE, owner=owner) as folder:
                _write(folder, path.name, item.content, mode=0o700 if item.executable else 0o600, owner=owner)
        for folder_path in _folders_named_by(spec):
            with _descend_from(home, folder_path, mode=_OWN_MODE, owner=owner):
                pass
    return root / relative


def _folders_named_by(spec: JobSpec) -> list[PurePosixPath]:
    """Folders that must exist before the program starts; those with a pattern in their name are not known."""
    outputs = [PurePosixPath(path).parent for path in (spec.stdout_path, spec.stderr_path) if path]
    return [PurePosixPath(spec.working_directory), *(path for path in outputs if "%" not in str(path))]


@contextlib.contextmanager
def _descend(
    root: Path, relative: PurePosixPath, *, mode: int, owner: tuple[int, int] | None
) -> Iterator[int]:
    start = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _descend_from(start, relative, mode=mode, owner=owner) as folder:
            yield folder
    finally:
        os.close(start)


@contextlib.contextmanager
def _descend_from(
    start: int, relative: PurePosixPath, *, mode: int, owner: tuple[int, int] | None
) -> Iterator[int]:
    """A descriptor of the folder `relative` to `start`, whose missing parts are made."""
    with contextlib.ExitStack() as stack:
        current = start
        for part in relative.parts:
            current = stack.enter_context(_enter(current, part, mode=mode, owner=owner))
        yield current


@contextlib.contextmanager
def _enter(parent: int, name: str, *, mode: int, owner: tuple[int, int] | None) -> Iterator[int]:
    made = False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=parent)
        made = True
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if made:
            os.fchmod(folder, mode)  # the umask may have taken bits away
        if owner:
            os.fchown(folder, *owner)
        yield folder
    finally:
        os.close(folder)


def _write(folder: int, name: str, content: str, *, mode: int, owner: tuple[int, int] | None) -> None:
    """Make a file appear complete under its name; one that exists (or a link planted there) stays."""
    with contextlib.suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return
    temporary = f".{name[:200]}.{secrets.token_hex(4)}"
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder
    )
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, mode)
            if owner:
                os.fchown(descriptor, *owner)
            file.write(content)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
