"""The cluster's page."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_cluster import show_cluster

router = APIRouter(include_in_schema=False)


@router.get("/cluster")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every cluster as its controller last reported it."""
    del actor  # everybody who is signed in may see how full the cluster is
    pages = pages_of(request)
    language = pages.language(request)
    now = services.clock.now()
    clusters = [show_cluster(snapshot, language, now=now) for snapshot in services.clusters.get()]
    return pages.render(request, "cluster.html", {"clusters": clusters})
