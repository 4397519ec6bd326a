"""A project's storage: what lies in its workspace, and have it measured again."""

from http import HTTPStatus

from fastapi import APIRouter

from hpc_portal.api.storage_schemas import StorageDayReply, StorageReply
from hpc_portal.app.storage.measure_again import measure_again
from hpc_portal.app.storage.queries import project_storage
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["projects"])


@router.get("/projects/{account}/storage")
def storage(services: PortalServices, actor: CurrentActor, account: str) -> StorageReply:
    """What a project was granted in storage, and what was measured in its workspace, when."""
    with services.reading() as session:
        found = project_storage(session, actor, account, at=services.clock.now())
    now = found.standing
    return StorageReply(
        granted_gib=now.granted_gib,
        allocated_bytes=now.allocated_bytes,
        percent=now.percent,
        is_full=now.is_full,
        entries=now.entries,
        unreadable=now.unreadable,
        measured_at=now.measured_at,
        is_waiting=now.is_waiting,
        days=[StorageDayReply(day=day, allocated_bytes=size) for day, size in found.days],
    )


@router.post("/projects/{account}/storage/measurements", status_code=HTTPStatus.ACCEPTED)
def measure(services: PortalServices, actor: CurrentActor, account: str) -> None:
    """Have it measured again, after files were deleted; `is_waiting` says until when."""
    measure_again(services, actor, account)
