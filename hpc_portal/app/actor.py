"""Who is asking: a person and their roles, loaded once per request."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import Session, col, select

from hpc_portal.app.service_accounts.tables import ServiceOwner
from hpc_portal.app.tables import (
    ClusterAccount,
    GlobalRole,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    TokenScope,
    User,
)
from quotas.tables import Project


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person. What they may do is `permissions.may`."""

    user_id: UUID
    username: str
    display_name: str
    cluster_user: str
    cluster_number: int
    locale: str = "vi"
    theme: str = "auto"
    global_role: GlobalRole | None = None
    organisations: Mapping[UUID, OrganisationRole] = field(default_factory=dict)
    projects: Mapping[UUID, ProjectRole] = field(default_factory=dict)
    project_organisations: Mapping[UUID, UUID] = field(default_factory=dict)
    """The organisation of each of `projects`."""
    cluster_accounts: Mapping[str, str] = field(default_factory=dict)
    """The person's account on each cluster that gives out accounts of its own."""
    answers_for: frozenset[UUID] = frozenset()
    """Ids of the service accounts that they are an owner of: whose jobs are theirs to look after."""
    answered_for_by: frozenset[UUID] = frozenset()
    """Of a service account: ids of its owners."""

    scope: TokenScope = TokenScope.EVERYTHING
    """What the token lets do that came with the request; a browser session lets do everything."""
    is_in_one_project: bool = False
    """That token is of one project: its owner is nobody elsewhere, nor may they change their account."""
    address: str = ""
    """Where the request came from, for the audit log; "" where nobody told."""

    def looks_after(self, user_id: UUID) -> bool:
        """Whether jobs of this account are their own, or of a service account that they answer for."""
        return user_id == self.user_id or user_id in self.answers_for

    def account_on(self, cluster: str) -> str:
        """What their jobs run as there: their account, or the portal's own name for them."""
        return self.cluster_accounts.get(cluster, self.cluster_user)


def load_actor(session: Session, user_id: UUID) -> Actor | None:
    """The person with their roles; None when there is no such active user."""
    user = session.get(User, user_id)
    if user is None or not user.is_active:
        return None
    organisations = session.exec(
        select(OrganisationMember).where(col(OrganisationMember.user_id) == user_id)
    ).all()
    projects = session.exec(
        select(ProjectMember, Project.organisation_id)
        .join(Project, col(Project.id) == col(ProjectMember.project_id))
        .where(col(ProjectMember.user_id) == user_id)
    ).all()
    accounts = session.exec(select(ClusterAccount).where(col(ClusterAccount.user_id) == user_id)).all()
    answers = session.exec(
        select(ServiceOwner).where(
            or_(col(ServiceOwner.owner_id) == user_id, col(ServiceOwner.service_id) == user_id)
        )
    ).all()
    return Actor(
        user_id=user.id,
        username=user.username,
        display_name=user.display_name,
        cluster_user=user.cluster_user,
        cluster_number=user.cluster_number,
        locale=user.locale,
        theme=user.theme,
        global_role=user.global_role,
        organisations={member.organisation_id: member.role for member in organisations},
        projects={member.project_id: member.role for member, _ in projects},
        project_organisations={member.project_id: organisation for member, organisation in projects},
        cluster_accounts={account.cluster: account.cluster_user for account in accounts},
        answers_for=frozenset(one.service_id for one in answers if one.owner_id == user_id),
        answered_for_by=frozenset(one.owner_id for one in answers if one.service_id == user_id),
    )


def narrowed(actor: Actor, scope: TokenScope, project_id: UUID | None) -> Actor:
    """The same person as a token of theirs lets them be: in one project, without what they are elsewhere."""
    if project_id is None:
        return replace(actor, scope=scope)
    kept = {project_id} & actor.projects.keys()
    return replace(
        actor,
        scope=scope,
        is_in_one_project=True,
        global_role=None,
        organisations={},
        projects={one: actor.projects[one] for one in kept},
        project_organisations={one: actor.project_organisations[one] for one in kept},
    )
