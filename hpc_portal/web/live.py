"""Streams of pages: whose events they carry, and for how long."""

from sqlmodel import Session
from starlette.requests import Request

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.event_hub import Topic
from hpc_portal.auth.identify import Identities
from hpc_portal.auth.sessions import session_secret
from hpc_portal.sse import StillAllowed


def still_signed_in(request: Request, identities: Identities) -> StillAllowed:
    """A stream ends soon after its reader signed out somewhere else."""

    async def ask() -> bool:
        return await identities.by_session(session_secret(request)) is not None

    return ask


def visible_topic(session: Session, actor: Actor) -> Topic:
    """Events of every project that the actor may see now."""
    if actor.global_role is not None:
        return Topic()
    return Topic(project_ids=frozenset(project.id for project in list_visible_projects(session, actor)))
