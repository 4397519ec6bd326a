"""No upload where a project's storage is full, or would be full with it."""

from datetime import datetime

from sqlalchemy import Connection

from hpc_portal.app.accounts.queries import ProjectRecord
from hpc_portal.app.errors import NoRoomForFile
from quotas.amounts import BYTES_PER_GIB
from quotas.errors import StorageExceeded
from quotas.storage_standing import storage_standings


def require_room(connection: Connection, project: ProjectRecord, size_bytes: int, *, at: datetime) -> None:
    """Let pass what fits beside that which was measured last; uploads since then are not in that figure.

    Raises:
        StorageExceeded: as much as was granted lies there, or more.
        NoRoomForFile: less is left than the file needs.
    """
    standing = storage_standings(connection, at=at, projects=[project.id])[project.id]
    if standing.granted_gib is None:
        return
    if standing.is_full and standing.measured_at is not None:
        raise StorageExceeded(
            project.account,
            allocated_bytes=standing.allocated_bytes,
            granted_gib=standing.granted_gib,
            measured_at=standing.measured_at,
        )
    left = standing.granted_gib * BYTES_PER_GIB - standing.allocated_bytes
    if size_bytes > left:
        raise NoRoomForFile(project.account, size_bytes=size_bytes, left_bytes=left)
