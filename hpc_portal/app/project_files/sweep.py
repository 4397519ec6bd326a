"""Sweep away what broken uploads and deletions left behind, before a project's storage is measured."""

import os
from datetime import datetime
from pathlib import Path, PurePosixPath

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.files.shared_folder import UPLOADS, shared_folder
from hpc_portal.app.project_files.remove import destroy


def sweep_uploads(root: Path, *, organisation: str, account: str, unchanged_since: datetime) -> int:
    """Delete what nobody wrote to since then; how many there were."""
    files = PurePosixPath(shared_folder(organisation=organisation, account=account))
    swept = 0
    try:
        with open_folder(root, str(files.with_name(UPLOADS))) as uploads:
            for name in os.listdir(uploads):  # noqa: PTH208 - by descriptor
                if _is_over(name, uploads, unchanged_since.timestamp()):
                    destroy(name, uploads)
                    swept += 1
    except FileNotInWorkspace:  # nobody shared a file yet
        return 0
    return swept


def _is_over(name: str, uploads: int, before: float) -> bool:
    try:
        return os.stat(name, dir_fd=uploads, follow_symlinks=False).st_mtime < before
    except FileNotFoundError:
        return False
