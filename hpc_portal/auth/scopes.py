"""What a request may be that shows an API token of a smaller scope."""

from starlette.requests import Request

from hpc_portal.app.actor import Actor
from hpc_portal.app.tables import TokenScope
from hpc_portal.auth.csrf import is_unsafe
from hpc_portal.auth.errors import ScopeTooSmall

_JOBS = ("/api/v1/jobs", "/api/v1/campaigns", "/api/v1/scripts")
_PROJECTS = "/api/v1/projects/"
_FILES = frozenset({"files", "uploads"})
"""What of a project its shared files are."""


def require_scope(request: Request, actor: Actor) -> None:
    """Let pass what changes nothing, and what the token is for.

    Raises:
        ScopeTooSmall: it would change something that the token is not for.
    """
    if actor.scope is TokenScope.EVERYTHING or not is_unsafe(request):
        return
    if actor.scope is TokenScope.JOBS and _is_of_jobs(request.url.path):
        return
    raise ScopeTooSmall(actor.scope.value)


def _is_of_jobs(path: str) -> bool:
    if any(path == start or path.startswith(f"{start}/") for start in _JOBS):
        return True
    part = path.removeprefix(_PROJECTS).split("/")[1:2] if path.startswith(_PROJECTS) else []
    return bool(_FILES.intersection(part))
