"""Organisations and projects: their states, and who leads them."""

from fastapi import APIRouter

from hpc_portal.api.schemas import ListReply
from hpc_portal.api.tenants_schemas import (
    CityProjectReply,
    HandedOverReply,
    HandOverBody,
    OrganisationDetailsReply,
    OrganisationOverviewReply,
    ProjectDetailsReply,
    StateBody,
    StateChangedReply,
    TenantReply,
)
from hpc_portal.app.home.organisation_overview import organisation_overview
from hpc_portal.app.tenants import queries
from hpc_portal.app.tenants.change_state import (
    StateChange,
    change_organisation_state,
    change_project_state,
)
from hpc_portal.app.tenants.city_projects import list_city_projects
from hpc_portal.app.tenants.hand_over import HandOver, hand_over_organisation, hand_over_project
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices

router = APIRouter(tags=["tenants"])


@router.get("/tenants")
def list_tenants(services: PortalServices, actor: CurrentActor) -> ListReply[TenantReply]:
    """Every organisation with its state, kind and use; for administrators and auditors."""
    with services.reading() as session:
        found = queries.list_tenants(session, actor)
    return ListReply(items=[TenantReply.model_validate(item) for item in found])


@router.get("/tenants/projects")
def list_projects(services: PortalServices, actor: CurrentActor) -> ListReply[CityProjectReply]:
    """Every project with its state, people, jobs under way and đồng; for administrators and auditors."""
    with services.reading() as session:
        found = list_city_projects(session, actor, at=services.clock.now())
    return ListReply(items=[CityProjectReply.model_validate(item) for item in found])


@router.get("/organisations/{slug}")
def show_organisation(services: PortalServices, actor: CurrentActor, slug: str) -> OrganisationDetailsReply:
    """One organisation, with what you may see of its projects and people."""
    with services.reading() as session:
        return OrganisationDetailsReply.model_validate(queries.get_organisation(session, actor, slug))


@router.get("/organisations/{slug}/overview")
def show_overview(services: PortalServices, actor: CurrentActor, slug: str) -> OrganisationOverviewReply:
    """Its projects that you may see, with what they have left and were charged this month."""
    with services.reading() as session:
        found = organisation_overview(session, actor, slug, at=services.clock.now())
    return OrganisationOverviewReply(
        slug=slug,
        month=found.month,
        charged_vnd=found.total.vnd,
        projects=[CityProjectReply.model_validate(one) for one in found.projects],
        charged_by_project={account: usage.vnd for account, usage in found.used.items()},
    )


@router.put("/organisations/{slug}/state")
def set_organisation_state(
    services: PortalServices, actor: CurrentActor, slug: str, body: StateBody
) -> StateChangedReply:
    """Suspend, resume or close an organisation. What runs goes on unless `jobs` says otherwise."""
    wanted = StateChange(body.state, body.reason, body.jobs)
    return StateChangedReply.model_validate(change_organisation_state(services, actor, slug, wanted))


@router.post("/organisations/{slug}/hand-over")
def give_organisation(
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    slug: str,
    body: HandOverBody,
) -> HandedOverReply:
    """Make another member the manager in one's stead."""
    wanted = HandOver(body.successor, body.former)
    is_new = hand_over_organisation(services, actor, slug, wanted)
    identities.forget()
    return HandedOverReply(is_new=is_new)


@router.get("/projects/{account}/details")
def show_project(services: PortalServices, actor: CurrentActor, account: str) -> ProjectDetailsReply:
    """One project with its people and the history of its state."""
    with services.reading() as session:
        return ProjectDetailsReply.model_validate(queries.get_project_details(session, actor, account))


@router.put("/projects/{account}/state")
def set_project_state(
    services: PortalServices, actor: CurrentActor, account: str, body: StateBody
) -> StateChangedReply:
    """Suspend, resume or close a project. What runs goes on unless `jobs` says otherwise."""
    wanted = StateChange(body.state, body.reason, body.jobs)
    return StateChangedReply.model_validate(change_project_state(services, actor, account, wanted))


@router.post("/projects/{account}/hand-over")
def give_project(
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    account: str,
    body: HandOverBody,
) -> HandedOverReply:
    """Make another member the lead in one's stead; the students' projects of its classes follow."""
    wanted = HandOver(body.successor, body.former)
    is_new = hand_over_project(services, actor, account, wanted)
    identities.forget()
    return HandedOverReply(is_new=is_new)
