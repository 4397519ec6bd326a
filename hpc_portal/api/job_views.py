"""One's own views: filters of the list of jobs, kept under a name."""

from http import HTTPStatus

from fastapi import APIRouter

from hpc_portal.api.schemas import Body, Reply
from hpc_portal.app.saved_views.keep import forget_view, list_views, save_view
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["jobs"])


class ViewFilters(Body):
    """What the list is narrowed to; empty narrows nothing."""

    text: str = ""
    """Part of a job's name."""
    state: str = ""
    project: str = ""
    owner: str = ""
    cluster: str = ""
    since: str = ""
    """`today`, `7d`, `30d` or a day such as `2026-11-26`."""


class ViewReply(Reply):
    """One view."""

    name: str
    query: str
    """Its address is `/jobs?` and this; whoever opens it sees their own jobs through it."""
    filters: dict[str, str]


@router.get("/job-views")
def show(services: PortalServices, actor: CurrentActor) -> list[ViewReply]:
    """Your views, by name."""
    with services.reading() as session:
        return [ViewReply.model_validate(view) for view in list_views(session, actor)]


@router.put("/job-views/{name}")
def save(services: PortalServices, actor: CurrentActor, name: str, body: ViewFilters) -> ViewReply:
    """Keep a filter; one of the same name is replaced."""
    return ViewReply.model_validate(save_view(services, actor, name, body.model_dump()))


@router.delete("/job-views/{name}", status_code=HTTPStatus.NO_CONTENT)
def forget(services: PortalServices, actor: CurrentActor, name: str) -> None:
    """Drop one; a view that is not there is no error."""
    forget_view(services, actor, name)
