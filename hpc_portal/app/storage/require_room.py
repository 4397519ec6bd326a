"""No new job where the workspace is full; those under way go on, since stopping them would free nothing."""

from uuid import UUID

from hpc_portal.app.services import Services
from quotas.errors import StorageExceeded


def require_room(services: Services, project_id: UUID, account: str) -> None:
    """Let pass a project whose workspace may grow. The figure is as old as its last measurement.

    Raises:
        StorageExceeded: as much as was granted lies there, or more.
    """
    full = services.full_storage.get().get(project_id)
    if full is None or full.measured_at is None:
        return
    raise StorageExceeded(
        account,
        allocated_bytes=full.allocated_bytes,
        granted_gib=full.granted_gib or 0,
        measured_at=full.measured_at,
    )
