"""A file that a job wrote, as a reply."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import StreamingResponse

from hpc_portal.app.files.read_file import OpenedFile


def attachment(opened: OpenedFile, path: str, *, media_type: str) -> StreamingResponse:
    """Always as an attachment: what a job wrote must not run as a page of ours."""
    name = quote(path.rpartition("/")[2])
    return StreamingResponse(
        opened.pieces,
        status_code=HTTPStatus.OK,
        media_type=media_type,
        headers={
            "content-length": str(opened.size_bytes),
            "content-disposition": f"attachment; filename*=UTF-8''{name}",
        },
    )
