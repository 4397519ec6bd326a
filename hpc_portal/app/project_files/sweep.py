"""Sweep away what broken uploads and deletions left behind, before a project's storage is measured."""

import os
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.files.shared_folder import UPLOADS, shared_folder
from hpc_portal.app.project_files.remove import destroy

KEPT = timedelta(days=1)
"""So long an upload that was cut off can be gone on with."""


def sweep_uploads(root: Path, *, organisation: str, account: str, now: datetime) -> int:
    """Delete what nobody wrote to for `KEPT`; how many there were."""
    files = PurePosixPath(shared_folder(organisation=organisation, account=account))
    swept = 0
    try:
        with open_folder(root, str(files.with_name(UPLOADS))) as uploads:
            for name in os.listdir(uploads):  # noqa: PTH208 - by descriptor
                if _is_over(name, uploads, (now - KEPT).timestamp()):
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
