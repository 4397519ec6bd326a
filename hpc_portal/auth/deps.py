"""What handlers ask for: the services, and who is asking.

There are no `yield` dependencies that commit: FastAPI runs what follows the `yield` after the reply was sent,
so that a failing commit would still have said 201. Verbs commit before they return.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from hpc_portal.app.actor import Actor
from hpc_portal.app.event_hub import EventHub
from hpc_portal.app.services import Services
from hpc_portal.auth.csrf import require_csrf_token
from hpc_portal.auth.errors import SignInRequired
from hpc_portal.auth.identify import Identities
from hpc_portal.auth.scopes import require_scope
from hpc_portal.auth.sessions import session_secret


async def get_services(request: Request) -> Services:
    """The services that the application was made with."""
    services: Services = request.app.state.services
    return services


async def get_event_hub(request: Request) -> EventHub:
    """The process's one reader of job events."""
    hub: EventHub = request.app.state.event_hub
    return hub


async def get_identities(request: Request) -> Identities:
    """The cache of who is who; `forget` it after roles, tokens or sessions changed."""
    identities: Identities = request.app.state.identities
    return identities


async def find_actor(request: Request) -> Actor | None:
    """Who is asking, by token or else by session cookie; None when nobody is known.

    Also left in `request.state.actor`, for templates and error pages. A request that changes something and
    is known by its cookie must bring the CSRF token: here a cookie becomes an identity, so no handler can
    forget to check.

    Raises:
        CrossSiteRequest: the token is missing or wrong.
        ScopeTooSmall: the API token is not good for such a request.
    """
    request.state.actor = None
    identities: Identities = request.app.state.identities
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        actor = await identities.by_token(token.strip()) if scheme.lower() == "bearer" else None
    elif secret := session_secret(request):
        actor = await identities.by_session(secret)
        if actor is not None:
            await require_csrf_token(request)
    else:
        actor = None
    if actor is not None:
        require_scope(request, actor)
    if actor is not None and request.client is not None:
        actor = replace(actor, address=request.client.host)
    request.state.actor = actor
    return actor


MaybeActor = Annotated[Actor | None, Depends(find_actor)]
"""Who is asking, or None: for pages that also serve strangers."""


async def require_actor(request: Request) -> Actor:
    """Who is asking.

    Raises:
        SignInRequired: nobody is known.
    """
    actor = await find_actor(request)
    if actor is None:
        raise SignInRequired
    return actor


CurrentActor = Annotated[Actor, Depends(require_actor)]
PortalServices = Annotated[Services, Depends(get_services)]
Events = Annotated[EventHub, Depends(get_event_hub)]
KnownIdentities = Annotated[Identities, Depends(get_identities)]
