"""Receive a file in one part or several: nothing of it can be seen before all of it is on the disk.

A part is written behind those that came before, into a file whose name is made of the person's and the
upload's ids. Whoever was cut off asks how much is there and goes on. The last part gives the file its name.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from uuid import UUID

from sqlalchemy import Connection

from hpc_portal.app import audit
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import (
    DiskFull,
    FileExists,
    FileNotInWorkspace,
    InvalidEntry,
    Problem,
    UploadOutOfStep,
)
from hpc_portal.app.files.given_path import given_path
from hpc_portal.app.files.make_folders import descend_from, opened
from hpc_portal.app.files.shared_folder import OPEN_MODE, UPLOADS
from hpc_portal.app.project_files import taken
from hpc_portal.app.project_files.place import FilesPlace, files_to_change, files_to_see
from hpc_portal.app.project_files.require_room import require_room
from hpc_portal.app.services import Services
from quotas.amounts import BYTES_PER_GIB
from quotas.measured_storage import ask_to_measure
from schedulers.project_files import NAME
from workloads.template import N_

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN_MODE, _PROGRAM_MODE = 0o644, 0o755
_TOO_LARGE = N_("A file may have at most %(most)s GiB here.")
_MORE_THAN_SAID = N_("More bytes came than the upload was said to have. Start it anew.")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class WantedPart:
    """One request of an upload."""

    upload_id: UUID
    """Chosen by whoever sends; the same for all parts of a file."""
    path: str
    """Where the file shall lie; folders on the way are made."""
    size_bytes: int
    """Of the whole file."""
    offset: int = 0
    """So many bytes came before this part; 0 begins anew."""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the portal has of an upload."""

    path: str
    """As it is kept."""
    received_bytes: int
    is_complete: bool
    """The file is there, under its name."""


@dataclass(slots=True)
class Part:
    """A part that is coming in. Its methods block; close it whatever happens."""

    services: Services
    actor: Actor
    place: FilesPlace
    wanted: WantedPart
    path: PurePosixPath
    descriptor: int
    received: int = field(default=0)

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            InvalidEntry: more came than was said; the upload is thrown away.
            DiskFull: it is thrown away, too.
        """
        if self.received + len(data) > self.wanted.size_bytes:
            self._throw_away()
            raise InvalidEntry([Problem("size_bytes", _MORE_THAN_SAID)])
        view = memoryview(data)
        while view:
            try:
                written = os.write(self.descriptor, view)
            except OSError as error:
                if error.errno in _FULL:
                    self._throw_away()
                    raise DiskFull from error
                raise
            self.received += written
            view = view[written:]

    def end(self) -> Receipt:
        """What is there now; of the last part, after the file has got its name and both are on the disk.

        Raises:
            FileExists: somebody took the name meanwhile; the upload is thrown away.
        """
        if self.received < self.wanted.size_bytes:
            return Receipt(str(self.path), self.received, is_complete=False)
        starts_program = os.pread(self.descriptor, 2, 0) == b"#!"
        os.fchmod(self.descriptor, _PROGRAM_MODE if starts_program else _PLAIN_MODE)
        os.fsync(self.descriptor)
        try:
            self._give_name()
        except BaseException:
            self._throw_away()
            raise
        return Receipt(str(self.path), self.received, is_complete=True)

    def close(self) -> None:
        """Let other requests go on with the upload."""
        os.close(self.descriptor)

    def _give_name(self) -> None:
        with (
            self.place.gate() as gate,
            opened(gate, UPLOADS) as uploads,
            _folder_for(gate, self.path) as folder,
        ):
            if not self.wanted.overwrite and taken.is_same(self.descriptor, self.path.name, folder):
                _unlink(_name_of(self.actor, self.wanted.upload_id), uploads)
                return
            transact(self.services.engine, _Naming(self, uploads, folder))
            os.fsync(folder)

    def _throw_away(self) -> None:
        with self.place.gate() as gate, opened(gate, UPLOADS) as uploads:
            _unlink(_name_of(self.actor, self.wanted.upload_id), uploads)


@dataclass(slots=True)
class _Naming:
    """The transaction that ends an upload."""

    part: Part
    uploads: int
    folder: int
    is_done: bool = False
    """A transaction may be repeated."""

    def __call__(self, connection: Connection) -> None:
        part, name = self.part, self.part.path.name
        now, overwrite = part.services.clock.now(), part.wanted.overwrite
        ask_to_measure(connection, part.place.project.id, at=now)
        was = taken.size_of(self.folder, name) if overwrite else None
        if was is not None:
            audit.record(
                connection,
                at=now,
                actor=part.actor,
                action="file.overwritten",
                subject=part.place.project.account,
                file=str(part.path),
                bytes=part.received,
                was={"bytes": was},
            )
        if not self.is_done:
            source = _name_of(part.actor, part.wanted.upload_id)
            upload = taken.Upload(source, self.uploads)
            taken.give_name(upload, name, self.folder, path=str(part.path), overwrite=overwrite)
            self.is_done = True


@contextlib.contextmanager
def _folder_for(gate: int, path: PurePosixPath) -> Iterator[int]:
    """The folder in which a file shall lie, made when missing."""
    try:
        with descend_from(gate, NAME / path.parent, mode=OPEN_MODE) as folder:
            yield folder
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull from error
        if error.errno in _IN_THE_WAY:
            raise FileExists(str(path.parent)) from error
        raise


def begin_part(services: Services, actor: Actor, account: str, wanted: WantedPart) -> Part:
    """Check all that can be checked before bytes come, and open the upload.

    Raises:
        ProjectNotFound, NotAllowed: see `files_to_change`.
        TenantNotActive: the project or its organisation is suspended or closed.
        InvalidEntry: the path cannot be a file's, or the file is larger than any may be.
        FileExists: the name is taken, and not to be overwritten, or by a folder.
        StorageExceeded, NoRoomForFile: see `require_room`.
        UploadOutOfStep: the part does not follow what is there, or another one is coming in.
    """
    place = files_to_change(services, actor, account)
    project = services.projects.get().get(account)
    if project is not None:
        project.require_active()
    path = given_path(wanted.path)
    most = services.settings.upload_max_gib
    if wanted.size_bytes > most * BYTES_PER_GIB:
        raise InvalidEntry([Problem("size_bytes", _TOO_LARGE, {"most": most})])
    taken.require_free(place, path, size_bytes=wanted.size_bytes, overwrite=wanted.overwrite)
    with services.reading() as session:
        require_room(
            session.connection(),
            place.project,
            wanted.size_bytes - wanted.offset,
            at=services.clock.now(),
        )
    descriptor = _open_upload(place, _name_of(actor, wanted.upload_id), offset=wanted.offset)
    return Part(services, actor, place, wanted, path, descriptor, received=wanted.offset)


def received_bytes(services: Services, actor: Actor, account: str, upload_id: UUID) -> int:
    """How much of an upload of the actor's is there; 0 where there is none.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
    """
    place = files_to_see(services, actor, account)
    if not place.may_change:
        return 0
    with place.gate() as gate, opened(gate, UPLOADS) as uploads:
        try:
            return os.stat(_name_of(actor, upload_id), dir_fd=uploads, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0


def cancel_upload(services: Services, actor: Actor, account: str, upload_id: UUID) -> None:
    """Throw away what came of an upload of the actor's; nothing to do is no error.

    Raises:
        ProjectNotFound, NotAllowed: see `files_to_change`.
    """
    place = files_to_change(services, actor, account)
    with place.gate() as gate, opened(gate, UPLOADS) as uploads:
        _unlink(_name_of(actor, upload_id), uploads)


def _open_upload(place: FilesPlace, name: str, *, offset: int) -> int:
    with place.gate() as gate, opened(gate, UPLOADS) as uploads:
        try:
            flags = _FLAGS if offset else _FLAGS | os.O_CREAT
            descriptor = os.open(name, flags, 0o600, dir_fd=uploads)
        except FileNotFoundError:
            raise UploadOutOfStep(0) from None
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFull from error
            raise FileNotInWorkspace(name) from error
    try:
        _take_over(descriptor, offset)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _take_over(descriptor: int, offset: int) -> None:
    """Keep others out until it is closed, and see that what is there is what the part follows."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UploadOutOfStep(os.fstat(descriptor).st_size) from None
    seen = os.fstat(descriptor)
    if not seen.st_nlink:  # completed or cancelled since it was opened
        raise UploadOutOfStep(0)
    if offset and seen.st_size != offset:
        raise UploadOutOfStep(seen.st_size)
    if not offset:
        os.ftruncate(descriptor, 0)


def _name_of(actor: Actor, upload_id: UUID) -> str:
    """Uploads of different people never meet."""
    return f"{actor.user_id.hex}.{upload_id.hex}"


def _unlink(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
