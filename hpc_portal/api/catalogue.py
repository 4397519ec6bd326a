"""What there is to run, and where: templates and clusters."""

from fastapi import APIRouter

from hpc_portal.api.schemas import (
    ClusterReply,
    LicenseReply,
    ListReply,
    NodeReply,
    PartitionReply,
    TemplateDetailReply,
    TemplateReply,
)
from hpc_portal.auth.deps import CurrentActor, PortalServices
from workloads import catalog

router = APIRouter(tags=["catalogue"])


@router.get("/templates")
def list_templates(actor: CurrentActor) -> ListReply[TemplateReply]:
    """The templates, in the order in which people see them."""
    del actor  # the same for everybody who signs in
    return ListReply(items=[TemplateReply.model_validate(item) for item in catalog.CATALOG.values()])


@router.get("/templates/{name}")
def show_template(actor: CurrentActor, name: str) -> TemplateDetailReply:
    """One template with the JSON Schema of its parameters."""
    del actor  # the same for everybody who signs in
    found = catalog.template(name)
    return TemplateDetailReply(
        name=found.name,
        title=found.title,
        summary=found.summary,
        domain=found.domain,
        parameters_schema=found.parameters.model_json_schema(),
    )


@router.get("/clusters")
def list_clusters(services: PortalServices, actor: CurrentActor) -> ListReply[ClusterReply]:
    """Every cluster as its controller last reported it; look at the age."""
    del actor  # the same for everybody who signs in
    now = services.clock.now()
    return ListReply(
        items=[
            ClusterReply(
                name=cluster.name,
                as_of=cluster.as_of,
                age_seconds=max(0, int((now - cluster.as_of).total_seconds())),
                partitions=[PartitionReply.model_validate(item) for item in cluster.partitions],
                nodes=[NodeReply.model_validate(item) for item in cluster.nodes],
                licenses=[LicenseReply.model_validate(item) for item in cluster.licenses],
            )
            for cluster in services.clusters.get()
        ]
    )
