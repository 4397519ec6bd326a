"""Folders and files as pages of jobs and of projects show them: listed, looked at, sent as they are."""

from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response, StreamingResponse

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.list_files import Listing, list_files
from hpc_portal.app.files.preview import preview_file
from hpc_portal.app.files.read_file import read_file
from hpc_portal.app.files.zip_folder import zip_folder
from hpc_portal.attachment import zip_attachment
from hpc_portal.web.show_results import show_curves

_SHOWN_INLINE = ("text/plain", "image/png", "image/jpeg", "image/gif", "image/webp")
"""Nothing that could run as a page of ours: the rest is only offered for saving."""
_NOTHING = Listing((), None)


class _AnyPath(PathConvertor):
    """Every name that a file can have: Starlette's own stops at a newline."""

    regex = r"[\s\S]*"


register_url_convertor("anypath", _AnyPath())


@dataclass(frozen=True, slots=True)
class ShownFolder:
    """A folder whose files have pages below an address: `…/files`, `…/preview` and `…/zip`."""

    root: Path
    folder: str
    """Relative to the workspace root, as all of `app/files` takes it."""
    address: str
    name: str
    """What its zip file is called."""


def listing_facts(shown: ShownFolder, path: str, after: str) -> dict[str, Any]:
    """One page of a folder; the topmost one is empty before there is any.

    Raises:
        FileNotInWorkspace: there is no such folder below.
    """
    try:
        listing = list_files(shown.root, shown.folder, path, after=after)
    except FileNotInWorkspace:
        if path:
            raise
        listing = _NOTHING
    parent = str(PurePosixPath(path).parent) if path else ""
    return {
        "address": shown.address,
        "entries": listing.entries,
        "path": path.strip("/"),
        "parent": "" if parent == "." else parent,
        "next_after": listing.next_after,
    }


def preview_facts(shown: ShownFolder, path: str) -> dict[str, Any]:
    """What a file looks like, and what can be done with it.

    Raises:
        FileNotInWorkspace: there is no such file.
    """
    found = preview_file(shown.root, shown.folder, path)
    folder, _, name = path.strip("/").rpartition("/")
    return {
        "address": shown.address,
        "preview": found,
        "curves": show_curves(found.series),
        "path": path.strip("/"),
        "folder": folder,
        "name": name,
    }


def send_zip(shown: ShownFolder, path: str) -> Response:
    """A folder with all that is below it."""
    return zip_attachment(zip_folder(shown.root, shown.folder, path), whole=shown.name, path=path)


def send_file(shown: ShownFolder, path: str) -> Response:
    """The file's bytes; shown by the browser only where they can do nothing.

    Raises:
        FileNotInWorkspace: there is no such file.
    """
    opened = read_file(shown.root, shown.folder, path)
    name = PurePosixPath(path).name
    media_type = "text/plain" if name.endswith((".out", ".log")) else guess_type(name)[0]
    place = "inline" if media_type in _SHOWN_INLINE else "attachment"
    headers = {
        "content-length": str(opened.size_bytes),
        "content-disposition": f"{place}; filename*=UTF-8''{quote(name)}",
    }
    if media_type not in _SHOWN_INLINE:
        media_type = "application/octet-stream"
    return StreamingResponse(opened.pieces, media_type=media_type, headers=headers)
