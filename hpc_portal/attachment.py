"""Files of jobs and projects, as replies of the API and of pages: saved, never run as a page of ours."""

from collections.abc import Iterator
from urllib.parse import quote

from starlette.responses import StreamingResponse

from hpc_portal.app.files.read_file import OpenedFile


def attachment(opened: OpenedFile, path: str, *, media_type: str) -> StreamingResponse:
    """One file, under its own name."""
    headers = {"content-length": str(opened.size_bytes), **_saved_as(path.rpartition("/")[2])}
    return StreamingResponse(opened.pieces, media_type=media_type, headers=headers)


def zip_attachment(pieces: Iterator[bytes], *, whole: str, path: str) -> StreamingResponse:
    """A folder: it is called like itself, or `whole` when it is all that there is."""
    name = path.strip("/").rpartition("/")[2] or whole
    return StreamingResponse(pieces, media_type="application/zip", headers=_saved_as(f"{name}.zip"))


def _saved_as(name: str) -> dict[str, str]:
    return {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
