"""Make a folder among a project's files."""

from pathlib import PurePosixPath

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import FileExists
from hpc_portal.app.files.given_path import given_path
from hpc_portal.app.files.make_folders import descend_from
from hpc_portal.app.files.shared_folder import OPEN_MODE
from hpc_portal.app.project_files.place import files_to_change
from hpc_portal.app.services import Services
from schedulers.project_files import NAME


def make_folder(services: Services, actor: Actor, account: str, path: str) -> PurePosixPath:
    """Make it and those on the way; one that is there stays. Returns the path as it is kept.

    Raises:
        ProjectNotFound, NotAllowed: see `files_to_change`.
        InvalidEntry: see `given_path`.
        FileExists: a file has that name, or one on the way to it.
    """
    place = files_to_change(services, actor, account)
    wanted = given_path(path)
    with place.gate() as gate:
        try:
            with descend_from(gate, NAME / wanted, mode=OPEN_MODE):
                return wanted
        except NotADirectoryError as error:
            raise FileExists(str(wanted)) from error
