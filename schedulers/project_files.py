"""Where the files that a project's people share lie, beside the folders of its jobs; pure."""

from pathlib import PurePosixPath

GATE = ".project"
"""Beside the folders of a project's cluster users, none of whom can be called so."""
NAME = "files"
"""Of the folder behind it."""
VARIABLE = "HPC_PROJECT_FILES"


def project_files_of(workspace: str) -> str:
    """The folder that a job sees read-only, by its own `<root>/<organisation>/<account>/<user>/<job>`."""
    return project_files_beside(str(PurePosixPath(workspace).parent))


def project_files_beside(tenant_root: str) -> str:
    """The same, by the folder `<root>/<organisation>/<account>/<user>` that the job may write."""
    return str(PurePosixPath(tenant_root).parent / GATE / NAME)
