"""Make a backup: a folder that appears complete, under a name that says when."""

import contextlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from hpc_portal.app.backup.dump import dump
from hpc_portal.app.backup.manifest import NAME, Manifest, saved_file
from hpc_portal.app.settings import Settings

ATTACHMENTS = "attachments.tar"
_PREFIX = "hpc-portal-"
_ARRIVING = ".arriving"
_DROPPING = ".dropping"
"""What is being deleted is no backup any more, even while it has all its files."""
_LONGEST = timedelta(days=1)
"""What has been arriving for longer never will: whoever made it was killed."""


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """Where it lies, and what it says."""

    folder: Path
    manifest: Manifest


def make_backup(settings: Settings, engine: Engine, root: Path, *, at: datetime, version: str) -> MadeBackup:
    """Save the database and then the attachments, which it names, into a new folder below `root`.

    Workspaces are not in it: they are of the site's file system, and of its size.

    Raises:
        ToolMissing, ToolFailed: pg_dump; nothing is left behind.
        OSError: the folder cannot be written.
    """
    name = _name(at)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    _drop_killed(root, begun_before=at - _LONGEST)
    arriving = root / f"{name}{_ARRIVING}"
    arriving.mkdir(mode=0o700)
    try:
        database, books = dump(engine, arriving)
        attachments = _save_attachments(settings.effective_attachment_root, arriving / ATTACHMENTS)
        manifest = Manifest(
            version=version,
            at=at,
            dialect="sqlite" if engine.dialect.name == "sqlite" else "postgresql",
            files=[saved_file(path) for path in (database, attachments)],
            books=books,
        )
        written = arriving / NAME
        written.write_text(manifest.model_dump_json(indent=2), "utf-8")
        for path in (database, attachments, written, arriving):
            _sync(path)
        arriving.rename(root / name)
        _sync(root)
    except BaseException:
        shutil.rmtree(arriving, ignore_errors=True)
        raise
    return MadeBackup(root / name, manifest)


def _name(at: datetime) -> str:
    return f"{_PREFIX}{at:%Y-%m-%dT%H%M%SZ}"


def _drop_killed(root: Path, *, begun_before: datetime) -> None:
    """What cannot be deleted stays: a new backup is worth more than the room."""
    arriving = [path for path in root.glob(f"{_PREFIX}*{_ARRIVING}") if path.name < _name(begun_before)]
    for path in (*arriving, *root.glob(f"{_PREFIX}*{_DROPPING}")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _save_attachments(source: Path, target: Path) -> Path:
    with tarfile.open(target, "w") as archive:
        if source.is_dir():
            archive.add(source, arcname=".", filter=_plain)
    target.chmod(0o600)
    return target


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Folders and files; nothing else belongs there."""
    return entry if entry.isfile() or entry.isdir() else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def drop_old(root: Path, *, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups below `root`; nothing else there is touched.

    Each loses its name first: what somebody kills half-way is no backup, and the next one deletes it.

    Raises:
        OSError: one cannot be deleted.
    """
    found = sorted(
        path
        for path in root.glob(f"{_PREFIX}*")
        if (path / NAME).is_file() and not path.is_symlink() and path.suffix not in {_ARRIVING, _DROPPING}
    )
    old = found[: max(0, len(found) - keep)]
    for path in old:
        dropping = path.with_name(f"{path.name}{_DROPPING}")
        with contextlib.suppress(FileNotFoundError):  # another backup deletes it, too
            path.rename(dropping)
            _sync(root)
            shutil.rmtree(dropping)
    return old
