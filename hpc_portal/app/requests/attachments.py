"""Files that belong to a request: attach, open and remove them; attachment_files.py keeps their bytes."""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotFound, PortalError, Problem
from hpc_portal.app.ids import new_id
from hpc_portal.app.requests import attachment_files
from hpc_portal.app.requests.move import load_for, move, note
from hpc_portal.app.requests.queries import ShownAttachment, get_request
from hpc_portal.app.requests.tables import RequestAttachment
from hpc_portal.app.requests.transitions import Deed
from hpc_portal.app.services import Services

MOST_BYTES = 10 * 1024**2
MOST_FILES = 10
_LONGEST_NAME = 150

TYPES = {
    ".pdf": ("application/pdf", b"%PDF-"),
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".jpg": ("image/jpeg", b"\xff\xd8\xff"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    ".docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04"),
    ".xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04"),
    ".odt": ("application/vnd.oasis.opendocument.text", b"PK\x03\x04"),
    ".ods": ("application/vnd.oasis.opendocument.spreadsheet", b"PK\x03\x04"),
    ".csv": ("text/csv", b""),
    ".txt": ("text/plain", b""),
    ".md": ("text/markdown", b""),
}
"""What may be attached: the end of its name, its media type, and how its bytes must begin."""


@dataclass(frozen=True, slots=True)
class OpenedAttachment:
    """A file to be sent."""

    shown: ShownAttachment
    pieces: Iterator[bytes]


def add_attachment(services: Services, actor: Actor, request_id: UUID, *, name: str, content: bytes) -> UUID:
    """Attach a file to a draft, or to a request that was returned; returns its id.

    Raises:
        NotFound, NotAllowed, RequestNotOpen: as for every request.
        InvalidEntry: too large, empty, too many, or not of a type that may be attached.
    """
    now = services.clock.now()
    safe = safe_name(name)
    suffix = PurePosixPath(safe).suffix.lower()
    digest = hashlib.sha256(content).hexdigest()
    attachment_id = new_id()

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, Deed.ATTACH)
        move(connection, request, Deed.ATTACH, actor, at=now, message=safe)
        _require_room(connection, request_id)
        connection.execute(
            insert(RequestAttachment).values(
                id=attachment_id,
                request_id=request_id,
                name=safe,
                media_type=TYPES[suffix][0],
                size_bytes=len(content),
                sha256=digest,
                added_by=actor.user_id,
                added_at=now,
            )
        )
        note(connection, request, Deed.ATTACH, actor, at=now, facts={"file": safe, "sha256": digest})

    with services.reading() as session:
        load_for(session.connection(), actor, request_id, Deed.ATTACH)
        _require_room(session.connection(), request_id)
    require([_content_problem(suffix, content)])
    attachment_files.store(services, request_id, attachment_id, content)
    try:
        transact(services.engine, work)
    except PortalError:  # after any other error it may have been committed: the sweep knows better
        attachment_files.drop(services, request_id, attachment_id)
        raise
    return attachment_id


def remove_attachment(services: Services, actor: Actor, request_id: UUID, attachment_id: UUID) -> None:
    """Take a file away from a request that can still be changed; its bytes are deleted.

    Raises:
        NotFound: no such request or file, or none that the actor may see.
        NotAllowed, RequestNotOpen: as for every request.
    """
    now = services.clock.now()

    def work(connection: Connection) -> None:
        request = load_for(connection, actor, request_id, Deed.DETACH)
        name = connection.execute(
            update(RequestAttachment)
            .where(
                col(RequestAttachment.id) == attachment_id,
                col(RequestAttachment.request_id) == request_id,
                col(RequestAttachment.removed_at).is_(None),
            )
            .values(removed_at=now)
            .returning(col(RequestAttachment.name))
        ).scalar()
        if name is None:
            raise NotFound("file", attachment_id)
        move(connection, request, Deed.DETACH, actor, at=now, message=name)
        note(connection, request, Deed.DETACH, actor, at=now, facts={"file": name})

    transact(services.engine, work)
    attachment_files.drop(services, request_id, attachment_id)


def open_attachment(
    services: Services, actor: Actor, request_id: UUID, attachment_id: UUID
) -> OpenedAttachment:
    """A file of a request that the actor may see.

    Raises:
        NotFound: no such request or file, or none that the actor may see.
    """
    with services.reading() as session:
        request = get_request(session, actor, request_id)
    shown = next((item for item in request.attachments if item.id == attachment_id), None)
    if shown is None:
        raise NotFound("file", attachment_id)
    try:
        pieces = attachment_files.read(attachment_files.path_of(services, request_id, attachment_id))
    except FileNotFoundError as error:
        raise NotFound("file", attachment_id) from error
    return OpenedAttachment(shown, pieces)


def safe_name(name: str) -> str:
    """The last part of a name that a browser or person gave, without what could mislead or break a line."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    kept = "".join(
        letter
        for letter in unicodedata.normalize("NFC", last)
        if unicodedata.category(letter)[0] not in "CZ" or letter == " "
    ).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{suffix[:10]}" if dot and stem else kept[:_LONGEST_NAME] or "file"


def _require_room(connection: Connection, request_id: UUID) -> None:
    there = select(func.count()).where(
        col(RequestAttachment.request_id) == request_id, col(RequestAttachment.removed_at).is_(None)
    )
    if connection.execute(there).scalar_one() >= MOST_FILES:
        require([Problem("file", "Attach at most %(most)s files.", {"most": MOST_FILES})])


def _content_problem(suffix: str, content: bytes) -> Problem | None:
    if suffix not in TYPES:
        return Problem("file", "Attach one of: %(types)s.", {"types": ", ".join(sorted(TYPES))})
    if not content:
        return Problem("file", "The file is empty.")
    if len(content) > MOST_BYTES:
        return Problem("file", "A file may have at most %(most)s MiB.", {"most": MOST_BYTES // 1024**2})
    beginning = TYPES[suffix][1]
    if not content.startswith(beginning) or (not beginning and b"\0" in content):
        return Problem("file", "The file is not what its name says (%(suffix)s).", {"suffix": suffix})
    return None
