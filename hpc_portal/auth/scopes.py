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


_OF_ONE_PROJECT = (*_JOBS, "/api/v1/projects", "/api/v1/requests", "/api/v1/classes")
"""What a token of one project changes; the role table keeps it to that one. It makes no other tokens, neither
of its owner nor of service accounts."""
_OWN = tuple(f"/api/v1/{name}" for name in ("tokens", "sessions", "notices", "webhook", "job-views"))
"""A person's own, of all their projects: a token of one neither reads nor makes more of it."""


def require_scope(request: Request, actor: Actor) -> None:
    """Let pass what changes nothing, and what the token is for.

    Raises:
        ScopeTooSmall: it would change something that the token is not for, or is of more than its project.
    """
    path = request.url.path
    if actor.is_in_one_project:
        is_for_programs = path.startswith("/api/") and not _is_below(path, _OWN)
        is_of_it = _is_below(path, _OF_ONE_PROJECT) and "/service-accounts" not in path
        if not is_for_programs or (is_unsafe(request) and not is_of_it):
            raise ScopeTooSmall("project")
    if actor.scope is TokenScope.EVERYTHING or not is_unsafe(request):
        return
    if actor.scope is TokenScope.JOBS and _is_of_jobs(path):
        return
    raise ScopeTooSmall(actor.scope.value)


def _is_below(path: str, starts: tuple[str, ...]) -> bool:
    return any(path == start or path.startswith(f"{start}/") for start in starts)


def _is_of_jobs(path: str) -> bool:
    if _is_below(path, _JOBS):
        return True
    part = path.removeprefix(_PROJECTS).split("/")[1:2] if path.startswith(_PROJECTS) else []
    return bool(_FILES.intersection(part))
