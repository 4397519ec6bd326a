"""Limits: what holds for whom, and set them."""

from fastapi import APIRouter

from hpc_portal.api.limits_schemas import LimitBody, LimitsOfReply, LimitWasReply, SetLimitReply
from hpc_portal.api.schemas import ListReply
from hpc_portal.app.limits import queries
from hpc_portal.app.limits.set import change_limit
from hpc_portal.app.limits.target import Target
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["limits"])


@router.get("/projects/{account}/limits")
def project_limits(
    services: PortalServices, actor: CurrentActor, account: str, user: str = ""
) -> LimitsOfReply:
    """What holds for you in a project, where it comes from, and who can raise it."""
    with services.engine.connect() as connection:
        found = queries.effective_limits(connection, actor, account, user)
    return LimitsOfReply.model_validate(found)


@router.get("/limits")
def list_limits(services: PortalServices, actor: CurrentActor) -> ListReply[SetLimitReply]:
    """Every limit that somebody set, as far as you may see it."""
    with services.engine.connect() as connection:
        found = queries.set_limits(connection, actor)
    return ListReply(items=[SetLimitReply.model_validate(item) for item in found])


@router.put("/limits")
def set_limit(services: PortalServices, actor: CurrentActor, body: LimitBody) -> LimitWasReply:
    """Set a limit, or take it away; it holds from the next submit and start on."""
    target = Target(
        level=body.level,
        organisation=body.organisation,
        project=body.project,
        user=body.user,
        everybody=body.everybody,
    )
    was = change_limit(
        services,
        actor,
        target,
        kind=body.kind,
        value=body.value,
        gpu_type=body.gpu_type,
        reason=body.reason,
    )
    return LimitWasReply(was=was)
