"""The clusters' page."""

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.clusters import list_clusters
from hpc_portal.app.mirror.queries import mirror_reports
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import say_stored
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_cluster import show_cluster

router = APIRouter(include_in_schema=False)


@router.get("/clusters")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every cluster as its controller last reported it."""
    pages = pages_of(request)
    language = pages.language(request)
    seen = list_clusters(services, actor)
    shared = [partition.name for one in seen if one.snapshot for partition in one.snapshot.partitions]
    clusters = [show_cluster(one, language, every_partition=shared) for one in seen]
    with services.reading() as session:
        mirrors = {report.cluster: report for report in mirror_reports(session, actor)}
    facts = {"clusters": clusters, "mirrors": mirrors, "say": partial(say_stored, language=language)}
    return pages.render(request, "clusters.html", facts)
