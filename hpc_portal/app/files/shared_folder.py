"""The folder of a project's shared files: where it lies, and making it behind a gate that only jobs pass.

Below the gate everybody may read, so that a project's members, each with an account of their own on the
nodes, need no common group; the gate itself lets pass nobody but the portal and the accounts let in here.
"""

import contextlib
import errno
import fcntl
import functools
import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import structlog

from hpc_portal.app.files.make_folders import descend, enter
from hpc_portal.app.files.workspace import SHARED_MODE, project_folder
from schedulers.project_files import GATE, NAME

log = structlog.get_logger()

OPEN_MODE = 0o755
UPLOADS = "uploads"
"""Beside the files: what is not complete yet, or on its way to be deleted."""
_GATE_MODE = 0o700
_OURS_MODE = 0o700
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_ALL, _PASS, _NOTHING = 7, 1, 0
_NONE_THERE = frozenset({errno.ENODATA, errno.ENOTSUP})


def gate_folder(*, organisation: str, account: str) -> str:
    """The folder above them, relative to the workspace root."""
    return "/".join((*project_folder(organisation=organisation, account=account), GATE))


def shared_folder(*, organisation: str, account: str) -> str:
    """Where a project's shared files lie, relative to the workspace root."""
    return f"{gate_folder(organisation=organisation, account=account)}/{NAME}"


@contextlib.contextmanager
def open_gate(root: Path, *, organisation: str, account: str) -> Iterator[int]:
    """A descriptor of the folder that holds a project's files and its uploads; all are made when missing.

    Raises:
        OSError: a part of the path is a link or no folder, or the disk is full.
    """
    root.mkdir(parents=True, exist_ok=True)
    home = PurePosixPath(*project_folder(organisation=organisation, account=account))
    with descend(root, home, mode=SHARED_MODE) as above, enter(above, GATE, mode=_GATE_MODE) as gate:
        with enter(gate, NAME, mode=OPEN_MODE), enter(gate, UPLOADS, mode=_OURS_MODE):
            pass
        yield gate


def let_pass(gate: int, uid: int) -> None:
    """Let the jobs of one more account read the files; again is fine.

    By a POSIX access list (acl(5)). A file system that has none lets only the portal's own account pass,
    and sandboxes, into which the folder is mounted; that is logged.
    """
    if uid == os.geteuid():
        return
    with _turn(gate):
        present = _passing(gate)
        if uid not in present:
            _let_only(gate, present | {uid})


def keep_only(gate: int, uids: Collection[int]) -> None:
    """Let nobody pass any more who is not among these accounts."""
    with _turn(gate):
        present = _passing(gate)
        if not present <= set(uids):
            _let_only(gate, present & set(uids))


@contextlib.contextmanager
def _turn(gate: int) -> Iterator[None]:
    """Read and write it alone: through a description of its own, for those of one process share a lock."""
    own = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=gate)
    try:
        fcntl.flock(own, fcntl.LOCK_EX)
        yield
    finally:
        os.close(own)


def _passing(gate: int) -> set[int]:
    try:
        stored = os.getxattr(gate, _ACL)
    except OSError as error:
        if error.errno in _NONE_THERE:
            return set()
        raise
    entries = _ENTRY.iter_unpack(stored[struct.calcsize("<I") :])
    return {number for tag, _, number in entries if tag == _USER}


def _let_only(gate: int, uids: Collection[int]) -> None:
    entries = [
        (_USER_OBJ, _ALL, _NO_ID),
        *((_USER, _PASS, uid) for uid in sorted(uids)),
        (_GROUP_OBJ, _NOTHING, _NO_ID),
        (_MASK, _PASS, _NO_ID),
        (_OTHER, _NOTHING, _NO_ID),
    ]
    packed = struct.pack("<I", _ACL_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    try:
        os.setxattr(gate, _ACL, packed)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        _tell_that_there_are_none()


@functools.cache
def _tell_that_there_are_none() -> None:
    """Once is enough: every job comes here."""
    log.warning("shared_folder.no_access_lists")
