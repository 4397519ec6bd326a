"""The project that a reader works in: its name and what it has left stand at the top of every page."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request
from sqlmodel import Session
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.accounts.queries import ProjectRecord, list_own_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import ProjectNotFound
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.auth.sessions import is_secure
from hpc_portal.web.cookies import PROJECT_COOKIE, local_path, remember
from quotas.balance import balance
from quotas.money import VND

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ProjectChoice:
    """Where the reader is, and where else they could be."""

    project: ProjectRecord
    available_vnd: int | None
    """None: its budget is not in đồng."""
    projects: Sequence[ProjectRecord]
    """All of the reader's own, the chosen one included."""


def project_choice(request: Request, session: Session, actor: Actor) -> ProjectChoice | None:
    """The project of the reader's cookie, else their first; None for whoever belongs to none.

    Read once for a request.
    """
    if not hasattr(request.state, "project_choice"):
        request.state.project_choice = _read(request, session, actor)
    found: ProjectChoice | None = request.state.project_choice
    return found


def _read(request: Request, session: Session, actor: Actor) -> ProjectChoice | None:
    own = list_own_projects(session, actor) if actor.projects else ()
    if not own:
        return None
    services: Services = request.app.state.services
    project = _chosen(own, request.cookies.get(PROJECT_COOKIE, ""))
    amounts = balance(session.connection(), project.id, services.clock.now()).by_asset.get(VND)
    return ProjectChoice(project, amounts.available if amounts else None, own)


def chosen_account(request: Request, projects: Sequence[ProjectRecord]) -> str:
    """Which of these a form begins with: the reader's choice where it is among them; "": there are none."""
    return _chosen(projects, request.cookies.get(PROJECT_COOKIE, "")).account if projects else ""


@router.get("/work-in/{account}")
def choose_project(
    actor: CurrentActor,
    services: PortalServices,
    account: str,
    next: str = "/",  # noqa: A002
) -> Response:
    """Remember one of the reader's own projects in this browser and go back."""
    with services.reading() as session:
        if account not in {project.account for project in list_own_projects(session, actor)}:
            raise ProjectNotFound(account)
    response = RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    remember(response, PROJECT_COOKIE, account, secure=is_secure(services.settings))
    return response


def _chosen(projects: Sequence[ProjectRecord], account: str) -> ProjectRecord:
    return next((one for one in projects if one.account == account), projects[0])
