"""The bytes of attachments on the disk: stored before their row is committed, swept when they have none.

A file is complete and durable under its final name before the transaction begins that adds its row, and it
is deleted after the transaction that ends its row. So who dies anywhere in between leaves at most a file
without a row, never a row without its file.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.requests.tables import RequestAttachment
from hpc_portal.app.services import Services

log = structlog.get_logger()

SWEEP_SECONDS = 3600.0
KEPT = timedelta(days=7)
"""Files without a row are kept so long: who restored the wrong backup can still restore the right one."""

_PIECE_BYTES = 256 * 1024
_ARRIVING = "arriving"
"""The folder of files that are being written."""


def path_of(services: Services, request_id: UUID, attachment_id: UUID) -> Path:
    """Where a file lies: under ids of ours, never under a name that somebody chose."""
    return services.settings.effective_attachment_root / str(request_id) / str(attachment_id)


def store(services: Services, request_id: UUID, attachment_id: UUID, content: bytes) -> None:
    """Write the file so that it is there as a whole or not at all, also after a power cut."""
    final = path_of(services, request_id, attachment_id)
    arriving = services.settings.effective_attachment_root / _ARRIVING / str(attachment_id)
    for folder in (arriving.parent, final.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    arriving.rename(final)
    for folder in (final.parent, final.parent.parent):
        _sync_folder(folder)


def drop(services: Services, request_id: UUID, attachment_id: UUID) -> None:
    """Delete the file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        path_of(services, request_id, attachment_id).unlink()


def read(path: Path) -> Iterator[bytes]:
    """The file in pieces.

    Raises:
        FileNotFoundError: at once, and not at the first piece.
    """
    return _pieces(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))


def sweep(services: Services, *, unchanged_since: datetime) -> int:
    """Delete files that belong to no attachment and are older than this; how many.

    Files are listed before rows are read: what is attached meanwhile is too young, or has its row by then.
    """
    root = services.settings.effective_attachment_root
    old = [
        path
        for path in root.glob("*/*")
        if path.is_file() and path.stat().st_mtime < unchanged_since.timestamp()
    ]
    if not old:
        return 0
    statement = select(col(RequestAttachment.request_id), col(RequestAttachment.id)).where(
        col(RequestAttachment.removed_at).is_(None)
    )
    with services.reading() as session:
        kept = {path_of(services, row.request_id, row.id) for row in session.connection().execute(statement)}
    orphans = [path for path in old if path not in kept]
    for path in orphans:
        path.unlink(missing_ok=True)
    if orphans:
        log.info("attachments.swept", files=len(orphans))
    return len(orphans)


def _sync_folder(folder: Path) -> None:
    """A file's name is durable when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
