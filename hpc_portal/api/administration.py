"""What the city's administrators do: people, organisations."""

from http import HTTPStatus

from fastapi import APIRouter

from hpc_portal.api.people_schemas import (
    ClusterAccountBody,
    ClusterAccountReply,
    MemberReply,
    NewPasswordBody,
    OrganisationBody,
    OrganisationMemberBody,
    OrganisationReply,
    UserBody,
    UserReply,
)
from hpc_portal.api.schemas import CreatedReply, ListReply, ReasonBody
from hpc_portal.app.accounts import queries
from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.create_organisation import create_organisation
from hpc_portal.app.accounts.create_user import NewUser, create_user
from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user, unmap_cluster_user
from hpc_portal.app.accounts.reset_second_factor import reset_second_factor
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.auth.deps import CurrentActor, KnownIdentities, PortalServices

router = APIRouter(tags=["administration"])


@router.get("/users")
def list_users(services: PortalServices, actor: CurrentActor) -> ListReply[UserReply]:
    """Everybody; for administrators and auditors."""
    with services.reading() as session:
        return ListReply(
            items=[UserReply.model_validate(item) for item in queries.list_users(session, actor)]
        )


@router.post("/users", status_code=HTTPStatus.CREATED)
def add_user(services: PortalServices, actor: CurrentActor, body: UserBody) -> CreatedReply:
    """Create a person who can sign in."""
    new = NewUser(
        username=body.username,
        display_name=body.display_name,
        password=body.password,
        email=body.email,
        global_role=body.global_role,
        cluster_user=body.cluster_user,
    )
    return CreatedReply(id=create_user(services, actor, new))


@router.put("/users/{username}/password", status_code=HTTPStatus.NO_CONTENT)
def set_user_password(
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    username: str,
    body: NewPasswordBody,
) -> None:
    """Set another person's password; ends all of their browser sessions."""
    reset_password(services, actor, username=username, new=body.new)
    identities.forget()


@router.post("/users/{username}/second-factor/reset", status_code=HTTPStatus.NO_CONTENT)
def reset_user_second_factor(
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    username: str,
    body: ReasonBody,
) -> None:
    """Take away the second factor of somebody who lost it; they are signed out everywhere, and told."""
    reset_second_factor(services, actor, username, reason=body.reason)
    identities.forget()


@router.get("/cluster-accounts")
def list_cluster_accounts(services: PortalServices, actor: CurrentActor) -> ListReply[ClusterAccountReply]:
    """Who is who on clusters that give out accounts of their own; for administrators and auditors."""
    with services.reading() as session:
        found = queries.list_cluster_accounts(session, actor)
    return ListReply(items=[ClusterAccountReply.model_validate(item) for item in found])


@router.put("/users/{username}/clusters/{cluster}")
def set_cluster_account(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    username: str,
    cluster: str,
    body: ClusterAccountBody,
) -> ClusterAccountReply:
    """Say which account a person's jobs run as on a cluster."""
    account = AccountThere(body.cluster_user, body.uid)
    uid = map_cluster_user(services, actor, username, cluster=cluster, account=account)
    identities.forget()
    return ClusterAccountReply(cluster=cluster, username=username, cluster_user=body.cluster_user, uid=uid)


@router.delete("/users/{username}/clusters/{cluster}", status_code=HTTPStatus.NO_CONTENT)
def remove_cluster_account(
    services: PortalServices, actor: CurrentActor, identities: KnownIdentities, username: str, cluster: str
) -> None:
    """Say that a person has no account on a cluster any more."""
    unmap_cluster_user(services, actor, username, cluster=cluster)
    identities.forget()


@router.get("/organisations")
def list_organisations(services: PortalServices, actor: CurrentActor) -> ListReply[OrganisationReply]:
    """The organisations that you belong to; for administrators and auditors, all."""
    with services.reading() as session:
        found = queries.list_visible_organisations(session, actor)
    return ListReply(items=[OrganisationReply.model_validate(item) for item in found])


@router.post("/organisations", status_code=HTTPStatus.CREATED)
def add_organisation(services: PortalServices, actor: CurrentActor, body: OrganisationBody) -> CreatedReply:
    """Create an organisation."""
    created = create_organisation(services, actor, slug=body.slug, name=body.name, kind=body.kind)
    return CreatedReply(id=created)


@router.get("/organisations/{slug}/members")
def organisation_members(services: PortalServices, actor: CurrentActor, slug: str) -> ListReply[MemberReply]:
    """Who is in an organisation; for its managers, administrators and auditors."""
    with services.reading() as session:
        found = queries.list_organisation_members(session, actor, slug)
    return ListReply(items=[MemberReply.model_validate(item) for item in found])


@router.put("/organisations/{slug}/members/{username}", status_code=HTTPStatus.NO_CONTENT)
def set_organisation_member(  # noqa: PLR0913 - who, where, what
    *,
    services: PortalServices,
    actor: CurrentActor,
    identities: KnownIdentities,
    slug: str,
    username: str,
    body: OrganisationMemberBody,
) -> None:
    """Give a person a place in an organisation, change it, or take it away."""
    set_organisation_membership(services, actor, organisation=slug, username=username, role=body.role)
    identities.forget()
