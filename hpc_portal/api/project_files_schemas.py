"""Bodies and replies about the files that a project's people share."""

from typing import Annotated

from pydantic import Field, StringConstraints

from hpc_portal.api.schemas import Body, Reply

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class FolderBody(Body):
    """A folder to make."""

    path: Path
    """Relative to the project's files; folders on the way are made, too."""


class MoveBody(Body):
    """What shall have another path."""

    path: Path
    to: Path
    """Nothing may lie there yet."""


class PathReply(Reply):
    """Where something lies now."""

    path: str
    """As it is kept: with composed characters (NFC)."""


class UploadReply(Reply):
    """What the portal has of an upload."""

    received_bytes: int
    """Where to go on."""


class UploadedReply(UploadReply):
    """The same after a part of it."""

    path: str
    is_complete: bool
    """The file is there, under its name."""


class DeletedReply(Reply):
    """What was destroyed."""

    path: str
    is_folder: bool
    files: int = Field(description="Files and folders, itself among them.")
    size_bytes: int
