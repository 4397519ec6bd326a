"""Projects: members, balance, grants."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header

from hpc_portal.api.balance_schemas import BalanceReply, GrantBody
from hpc_portal.api.people_schemas import MemberReply, ProjectBody, ProjectMemberBody, ProjectReply
from hpc_portal.api.schemas import CreatedReply, ListReply
from hpc_portal.app.accounts import queries
from hpc_portal.app.accounts.create_project import create_project
from hpc_portal.app.accounts.grant_budget import BudgetGrant, grant_budget
from hpc_portal.app.accounts.set_membership import set_project_membership
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices

router = APIRouter(tags=["projects"])


@router.get("/projects")
def list_projects(services: PortalServices, actor: CurrentActor) -> ListReply[ProjectReply]:
    """The projects that you may see."""
    with services.reading() as session:
        found = queries.list_visible_projects(session, actor)
    return ListReply(items=[ProjectReply.model_validate(item) for item in found])


@router.post("/projects", status_code=HTTPStatus.CREATED)
def create(services: PortalServices, actor: CurrentActor, body: ProjectBody) -> CreatedReply:
    """Create a project of an organisation; it has no budget yet."""
    created = create_project(
        services, actor, organisation=body.organisation, account=body.account, name=body.name
    )
    return CreatedReply(id=created)


@router.get("/projects/{account}")
def show(services: PortalServices, actor: CurrentActor, account: str) -> ProjectReply:
    """One project."""
    with services.reading() as session:
        return ProjectReply.model_validate(queries.get_project(session, actor, account))


@router.get("/projects/{account}/balance")
def balance(services: PortalServices, actor: CurrentActor, account: str) -> BalanceReply:
    """What a project was granted, holds for jobs under way, has used, and may still promise."""
    with services.reading() as session:
        found = queries.project_balance(session, actor, account, at=services.clock.now())
    return BalanceReply.model_validate(found)


@router.get("/projects/{account}/members")
def members(services: PortalServices, actor: CurrentActor, account: str) -> ListReply[MemberReply]:
    """Who is in a project."""
    with services.reading() as session:
        found = queries.list_project_members(session, actor, account)
    return ListReply(items=[MemberReply.model_validate(item) for item in found])


@router.put("/projects/{account}/members/{username}", status_code=HTTPStatus.NO_CONTENT)
def set_member(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    account: str,
    username: str,
    body: ProjectMemberBody,
) -> None:
    """Give a person of the organisation a place in the project, change it, or take it away."""
    set_project_membership(services, actor, account=account, username=username, role=body.role)
    identities.forget()


@router.post("/projects/{account}/grants", status_code=HTTPStatus.CREATED)
def grant(
    services: PortalServices,
    actor: CurrentActor,
    account: str,
    body: GrantBody,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=150)],
) -> CreatedReply:
    """Grant a project budget for a period. The same Idempotency-Key never grants twice."""
    wanted = BudgetGrant(
        lines=body.lines,
        overdraft=body.overdraft,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        reason=body.reason,
    )
    return CreatedReply(id=grant_budget(services, actor, account, wanted, key=idempotency_key))
