"""Whose jobs a list can be narrowed to: the people, and service accounts, that a reader works with."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import ProjectMember, User
from quotas.tables import Project

MOST_OWNERS = 200


def list_owners(session: Session, actor: Actor, project: str = "") -> Sequence[str]:
    """User names of who has a place in a project, in order; without a project, in any of the actor's own.

    The first `MOST_OWNERS`; nobody for a project that the actor may not see, and nobody who has left.
    """
    place = col(Project.account) == project if project else col(Project.id).in_(list(actor.projects))
    statement = (
        select(col(User.username))
        .join(ProjectMember, col(ProjectMember.user_id) == col(User.id))
        .join(Project, col(Project.id) == col(ProjectMember.project_id))
        .where(permissions.visible_projects(actor), place)
        .distinct()
        .order_by(col(User.username))
        .limit(MOST_OWNERS)
    )
    return session.connection().execute(statement).scalars().all()
