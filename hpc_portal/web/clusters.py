"""The pages of clusters: all at a glance, and one with its nodes, queue, licences and reservations."""

from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.cluster_map import MapFilter, Use, map_nodes
from hpc_portal.app.cluster_queue import partition_queues
from hpc_portal.app.cluster_runs import visible_runs
from hpc_portal.app.clusters import SeenCluster, find_cluster, list_clusters
from hpc_portal.app.licenses.queries import license_use
from hpc_portal.app.mirror.queries import mirror_reports
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.problems import say_stored
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_cluster import show_cluster, show_licenses, show_partitions
from hpc_portal.web.show_cluster_map import MapAddress, show_map

router = APIRouter(include_in_schema=False)


@router.get("/clusters")
def show_all(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """Every cluster at a glance; where there is only one, all of it."""
    seen = list_clusters(services, actor)
    if len(seen) == 1:
        return _page(request, actor, services, seen[0], _Asked.of(request))
    pages = pages_of(request)
    language, now = pages.language(request), services.clock.now()
    clusters = [show_cluster(one, language, now=now) for one in seen]
    facts = {"clusters": clusters, "stream": "jobs=true&also=clusters"}
    return pages.render(request, "clusters/all.html", facts)


@router.get("/clusters/{cluster}")
def show(request: Request, actor: CurrentActor, services: PortalServices, cluster: str) -> Response:
    """One cluster."""
    return _page(request, actor, services, find_cluster(services, actor, cluster), _Asked.of(request))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for; what it asks in other words than ours is not heard."""

    wanted: MapFilter
    is_table: bool

    @classmethod
    def of(cls, request: Request) -> "_Asked":
        query = request.query_params
        state = query.get("state", "")
        use = Use(state) if state in set(Use) else None
        wanted = MapFilter(
            query.get("gpu", ""), query.get("partition", ""), use, query.get("text", "").strip()
        )
        return cls(wanted, query.get("view") == "table")


def _page(request: Request, actor: Actor, services: Services, seen: SeenCluster, asked: _Asked) -> Response:
    pages = pages_of(request)
    language, now = pages.language(request), services.clock.now()
    shown = show_cluster(seen, language, now=now)
    facts: dict[str, object] = {"cluster": shown, "stream": "jobs=true&also=clusters", "seen": None}
    with services.reading() as session:
        connection = session.connection()
        mirrors = {report.cluster: report for report in mirror_reports(session, actor)}
        facts |= {"mirror": mirrors.get(seen.name), "say": partial(say_stored, language=language)}
        if snapshot := seen.snapshot:
            names = [item.name for item in snapshot.partitions]
            every = [item.name for one in services.clusters.get() for item in one.partitions]
            queues = partition_queues(connection, actor, seen.name, names, now=now)
            nodes = map_nodes(snapshot, visible_runs(connection, actor, seen.name))
            address = MapAddress(shown.href, asked.wanted, asked.is_table)
            facts |= {
                "seen": snapshot,
                "map": show_map(snapshot, nodes, address, language, sees_all=permissions.sees_all(actor)),
                "partitions": show_partitions(snapshot, queues, every_partition=every),
                "licenses": show_licenses(snapshot, license_use(connection, actor), username=actor.username),
            }
    return pages.render(request, "clusters/one.html", facts)
