"""What the points of a sweep or of corners achieved, by job."""

from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.campaigns_points_schemas import CornersReply, SweepReply
from hpc_portal.app.campaigns.points import corners_of, sweep_of
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["campaigns"])


@router.get("/jobs/{job_id}/sweep")
def sweep(services: PortalServices, actor: CurrentActor, job_id: UUID) -> SweepReply:
    """The trials of a hyper-parameter sweep so far, the best first; 404 for a job that is none."""
    _, found = sweep_of(services, actor, job_id)
    return SweepReply.model_validate(found)


@router.get("/jobs/{job_id}/corners")
def corners(services: PortalServices, actor: CurrentActor, job_id: UUID) -> CornersReply:
    """The corners that have ended, and the worst of each limit; 404 for a job that has none."""
    _, found = corners_of(services, actor, job_id)
    return CornersReply.model_validate(found)
