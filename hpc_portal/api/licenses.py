"""Licences: who has which, and what is kept for projects."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from hpc_portal.api.schemas import Body, ListReply, Reply
from hpc_portal.app.licenses.queries import license_use
from hpc_portal.app.licenses.reserve import reserve_licenses
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["licenses"])

FeatureName = Annotated[str, Path(max_length=64)]
ProjectName = Annotated[str, Path(max_length=64)]


class LicenseHolderReply(Reply):
    """What one of your jobs has of a feature; administrators also see accounts that asked for nothing."""

    user: str
    project: str
    job_id: UUID | None
    hosts: list[str]
    """Where tools have taken it; empty while the job only holds it."""
    count: int
    since: datetime | None


class FeatureReply(Reply):
    """One licence feature."""

    name: str
    total: int
    in_use: int
    outside: int
    """In use by people and machines that are not the clusters'."""
    held: int
    """By running jobs."""
    others: int
    """Of these, by jobs that you may not see."""
    queued: int
    """Waited for inside tools that run already."""
    kept: dict[str, int]
    """By project that you may see: so many only its jobs may hold."""
    kept_for_others: int
    holders: list[LicenseHolderReply]
    server: str
    """Empty for a feature that no server counts."""
    as_of: datetime | None
    problem: str
    """Why the server has not answered since; the figures are older then."""
    expires: str


class ReservationBody(Body):
    """How many to keep."""

    count: int = Field(ge=0, le=1_000_000)


class LicenseReservationReply(Reply):
    """How many are kept, and how many were before."""

    count: int
    before: int


@router.get("/licenses")
def list_licenses(services: PortalServices, actor: CurrentActor) -> ListReply[FeatureReply]:
    """Every feature of licence servers and clusters, by name."""
    with services.reading() as session:
        found = license_use(session.connection(), actor)
    return ListReply(items=[FeatureReply.model_validate(use) for use in found])


@router.put("/licenses/{feature}/reservations/{project}")
def reserve(
    services: PortalServices,
    actor: CurrentActor,
    feature: FeatureName,
    project: ProjectName,
    body: ReservationBody,
) -> LicenseReservationReply:
    """Keep so many for one project's jobs; 0 keeps none. Administrators only."""
    before = reserve_licenses(services, actor, feature=feature, project=project, count=body.count)
    return LicenseReservationReply(count=body.count, before=before)
