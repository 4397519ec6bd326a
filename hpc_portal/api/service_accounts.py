"""Service accounts of a project and their tokens, for pipelines."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.people_schemas import IssuedTokenReply
from hpc_portal.api.schemas import ListReply
from hpc_portal.api.service_accounts_schemas import (
    CreatedServiceReply,
    RotateBody,
    ServiceAccountBody,
    ServiceAccountReply,
    ServiceChangeBody,
    ServiceTokenBody,
)
from hpc_portal.api.sign_in import issued_reply
from hpc_portal.app.service_accounts.create import (
    NewService,
    ServiceChange,
    change_service,
    create_service,
    end_service,
)
from hpc_portal.app.service_accounts.queries import list_all_services, list_project_services
from hpc_portal.app.service_accounts.tokens import (
    issue_service_token,
    revoke_service_token,
    rotate_service_token,
)
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices

router = APIRouter(tags=["service accounts"])

_OF_PROJECT = "/projects/{account}/service-accounts"
_ONE = _OF_PROJECT + "/{service}"


@router.get("/service-accounts")
def list_all(services: PortalServices, actor: CurrentActor) -> ListReply[ServiceAccountReply]:
    """Those of the whole city; for administrators and auditors."""
    with services.reading() as session:
        found = list_all_services(session, actor, at=services.clock.now())
    return ListReply(items=[ServiceAccountReply.model_validate(item) for item in found])


@router.get(_OF_PROJECT)
def list_of_project(
    services: PortalServices, actor: CurrentActor, account: str
) -> ListReply[ServiceAccountReply]:
    """Those of a project, those in force first."""
    with services.reading() as session:
        found = list_project_services(session, actor, account, at=services.clock.now())
    return ListReply(items=[ServiceAccountReply.model_validate(item) for item in found])


@router.post(_OF_PROJECT, status_code=HTTPStatus.CREATED)
def create(
    services: PortalServices, actor: CurrentActor, account: str, body: ServiceAccountBody
) -> CreatedServiceReply:
    """Create one; it has no password and no token yet."""
    new = NewService(body.name, body.purpose, body.owners, body.valid_days)
    return CreatedServiceReply(username=create_service(services, actor, account, new))


@router.patch(_ONE, status_code=HTTPStatus.NO_CONTENT)
def change(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    account: str,
    service: str,
    body: ServiceChangeBody,
) -> None:
    """Change who answers for it, what it is for, or how long it is good."""
    wanted = ServiceChange(body.purpose, body.owners, body.valid_days)
    change_service(services, actor, account, service, wanted)
    identities.forget()


@router.delete(_ONE, status_code=HTTPStatus.NO_CONTENT)
def end(
    services: PortalServices, actor: CurrentActor, identities: KnownIdentities, account: str, service: str
) -> None:
    """End it and its tokens for good; its jobs go on."""
    end_service(services, actor, account, service)
    identities.forget()


@router.post(_ONE + "/tokens", status_code=HTTPStatus.CREATED)
def issue(
    services: PortalServices, actor: CurrentActor, account: str, service: str, body: ServiceTokenBody
) -> IssuedTokenReply:
    """Issue a token of it, good in this project only; it is shown this once."""
    return issued_reply(
        issue_service_token(
            services,
            actor,
            account,
            service,
            name=body.name,
            scope=body.scope,
            valid_days=body.valid_days,
        )
    )


@router.post(_ONE + "/tokens/{token_id}/rotate", status_code=HTTPStatus.CREATED)
def rotate(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    account: str,
    service: str,
    token_id: UUID,
    body: RotateBody,
) -> IssuedTokenReply:
    """Issue a token in an old one's stead, which is good for the overlap only; it is shown this once."""
    return issued_reply(
        rotate_service_token(services, actor, account, service, token_id, overlap_hours=body.overlap_hours)
    )


@router.delete(_ONE + "/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT)
def revoke(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    account: str,
    service: str,
    token_id: UUID,
) -> None:
    """Revoke a token of it."""
    revoke_service_token(services, actor, account, service, token_id)
    identities.forget()
