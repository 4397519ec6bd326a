"""Text files of a project as inputs of a job: copied into it, so that later uploads change nothing."""

from hpc_portal.app.errors import FileNotInWorkspace, Problem
from hpc_portal.app.files.open_file import open_file, open_folder
from hpc_portal.app.project_files.place import FilesPlace
from hpc_portal.app.project_files.search import search_files
from workloads.template import N_

MOST_BYTES = 1024**2
"""An input of a job has no more; see `schedulers.jobspec.InputFile`."""
MOST_FILES = 200
"""Of one folder."""
MOST_TOTAL_BYTES = 16 * 1024**2
"""Of one folder, too: the job carries them in the database."""

_NOT_THERE = N_("“%(file)s” is not among the project's files any more. Choose another one.")
_TOO_LARGE = N_(
    "“%(file)s” is larger than 1 MiB, or no text. Let the job read it at $HPC_PROJECT_FILES/%(file)s instead."
)
_TOO_MANY = N_("“%(file)s” has more than %(most)s files. Choose some of them.")
_TOO_MUCH = N_(
    "The files in “%(file)s” are larger than 16 MiB together. Let the job read them at $HPC_PROJECT_FILES "
    "instead."
)


def read_texts(place: FilesPlace, path: str, *, field: str) -> dict[str, str] | Problem:
    """A file, or all files below a folder, by path; or what is wrong with it, for the field of a form."""
    wanted = path.strip().strip("/")
    try:
        with open_folder(place.root, place.folder, wanted):
            found, is_all = search_files(place.root, place.folder, "", below=wanted, limit=MOST_FILES + 1)
    except FileNotInWorkspace:
        paths = [wanted]
    else:
        if not is_all:
            return Problem(field, _TOO_MANY, {"file": wanted or "/", "most": MOST_FILES})
        if sum(entry.size_bytes for entry in found) > MOST_TOTAL_BYTES:
            return Problem(field, _TOO_MUCH, {"file": wanted or "/"})
        paths = [entry.path for entry in found]
    texts: dict[str, str] = {}
    for one in paths:
        try:
            text = _text(place, one)
        except FileNotInWorkspace:
            return Problem(field, _NOT_THERE, {"file": one})
        if text is None:
            return Problem(field, _TOO_LARGE, {"file": one})
        texts[one] = text
    return texts


def _text(place: FilesPlace, path: str) -> str | None:
    with (
        open_file(place.root, place.folder, path) as descriptor,
        open(descriptor, "rb", closefd=False) as file,
    ):
        content = file.read(MOST_BYTES + 1)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if len(content) > MOST_BYTES or "\0" in text else text
