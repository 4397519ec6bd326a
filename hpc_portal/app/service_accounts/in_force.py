"""Which service accounts still are: the one rule that sign-in, pages and the controller share, as SQL."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, case, cast, exists, func, select
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import col

from hpc_portal.app.service_accounts.tables import ServiceAccount, ServiceEnd, ServiceOwner
from hpc_portal.app.tables import ProjectMember, User
from quotas.tables import Project, TenantState


def why_over(at: datetime) -> ColumnElement[str | None]:
    """Of a `service_account`: why it is over at that time; NULL while it is not.

    An owner counts while they are active and have a place in the project.
    """
    owner, place = aliased(User), aliased(ProjectMember)
    has_owner = (
        exists()
        .select_from(ServiceOwner)
        .where(
            col(ServiceOwner.service_id) == col(ServiceAccount.user_id),
            col(owner.id) == col(ServiceOwner.owner_id),
            col(owner.is_active),
            col(place.user_id) == col(ServiceOwner.owner_id),
            col(place.project_id) == col(ServiceAccount.project_id),
        )
        .correlate(ServiceAccount)
    )
    is_closed = (
        select(col(Project.state))
        .where(col(Project.id) == col(ServiceAccount.project_id))
        .correlate(ServiceAccount)
        .scalar_subquery()
    ) == TenantState.CLOSED
    return case(
        (col(ServiceAccount.ended_at).is_not(None), cast(col(ServiceAccount.ended_why), String)),
        (is_closed, ServiceEnd.PROJECT_CLOSED.value),
        (~has_owner, ServiceEnd.NO_OWNER.value),
        (col(ServiceAccount.expires_at) <= at, ServiceEnd.EXPIRED.value),
        else_=None,
    ).label("over")


def is_person_or_in_force(user_id: Mapped[UUID], at: datetime) -> ColumnElement[bool]:
    """Whether an account is a person's, or a service account that is not over."""
    over = why_over(at)
    return ~exists().where(and_(col(ServiceAccount.user_id) == user_id, over.is_not(None)))


def is_person(user_id: Mapped[UUID]) -> ColumnElement[bool]:
    """Whether an account is a person's."""
    return ~exists().where(col(ServiceAccount.user_id) == user_id)


def service_owners(user_id: Mapped[UUID]) -> ColumnElement[str]:
    """User names of those who answer for a service account, with commas; "" for a person's."""
    owner = aliased(User)
    named = (
        select(func.aggregate_strings(col(owner.username), ", "))
        .join_from(ServiceOwner, owner, col(owner.id) == col(ServiceOwner.owner_id))
        .where(col(ServiceOwner.service_id) == user_id)
        .correlate_except(ServiceOwner, owner)
        .scalar_subquery()
    )
    return func.coalesce(named, "")
