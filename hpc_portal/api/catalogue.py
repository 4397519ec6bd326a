"""What there is to run, and where: templates and clusters."""

from datetime import datetime

from fastapi import APIRouter, Request

from hpc_portal.api.accepted import accepted_locale
from hpc_portal.api.catalogue_schemas import (
    LicenseReply,
    NodeReply,
    PartitionReply,
    TemplateDetailReply,
    TemplateReply,
)
from hpc_portal.api.cluster_schemas import ClusterReply, GpuCountReply, OutageReply, ReservationReply
from hpc_portal.api.schemas import ListReply
from hpc_portal.app import clusters
from hpc_portal.app.clusters import SeenCluster
from hpc_portal.app.templates.find import find_template, offered
from hpc_portal.auth.deps import CurrentActor, PortalServices
from workloads.site.template import SiteTemplate

router = APIRouter(tags=["catalogue"])


@router.get("/templates")
def list_templates(
    request: Request, services: PortalServices, actor: CurrentActor
) -> ListReply[TemplateReply]:
    """What this person can submit, in the order in which people see them."""
    found = offered(services, actor, accepted_locale(request))
    return ListReply(items=[TemplateReply.model_validate(item) for item in found])


@router.get("/templates/{name}")
def show_template(
    request: Request, services: PortalServices, actor: CurrentActor, name: str
) -> TemplateDetailReply:
    """One template with the JSON Schema of its parameters; `name@3` is the third version of a site's own."""
    found = find_template(services, actor, name, accepted_locale(request))
    return TemplateDetailReply(
        name=found.name,
        title=found.title,
        summary=found.summary,
        domain=found.domain,
        version=found.version if isinstance(found, SiteTemplate) else None,
        fixed_script=found.fixed_script,
        parameters_schema=found.parameters.model_json_schema(),
    )


@router.get("/clusters")
def list_clusters(services: PortalServices, actor: CurrentActor) -> ListReply[ClusterReply]:
    """Every cluster as its controller last reported it, the default one first; look at the age."""
    now = services.clock.now()
    return ListReply(items=[_cluster_reply(found, now) for found in clusters.list_clusters(services, actor)])


def _cluster_reply(found: SeenCluster, now: datetime) -> ClusterReply:
    seen = found.snapshot
    return ClusterReply(
        name=found.name,
        is_default=found.is_default,
        needs_account=found.needs_account,
        account=found.account,
        as_of=seen.as_of if seen else None,
        age_seconds=max(0, int((now - seen.as_of).total_seconds())) if seen else None,
        partitions=[PartitionReply.model_validate(item) for item in seen.partitions] if seen else [],
        nodes=[NodeReply.model_validate(item) for item in seen.nodes] if seen else [],
        licenses=[LicenseReply.model_validate(item) for item in seen.licenses] if seen else [],
        gpus=[GpuCountReply.model_validate(item) for item in found.gpus],
        reservations=[ReservationReply.model_validate(item) for item in seen.reservations] if seen else [],
        outages=[OutageReply.model_validate(item) for item in found.outages],
    )
