"""What stands at the top of every page: the chosen project, new notices, announcements."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from hpc_portal.app.actor import Actor
from hpc_portal.app.announcements.read import ShownAnnouncement, is_addressed, list_in_force
from hpc_portal.app.notices.read import count_unread
from hpc_portal.app.services import Services
from hpc_portal.web.project_choice import ProjectChoice, project_choice


@dataclass(frozen=True, slots=True)
class PageTop:
    """All of it; nothing for whoever is not known."""

    choice: ProjectChoice | None = None
    unread_notices: int = 0
    announced: Sequence[ShownAnnouncement] = ()

    @property
    def of_balance(self) -> str:
        """For the address of the page's stream: the project whose budget the page shows."""
        has_balance = self.choice and self.choice.available_vnd is not None
        return f"balance={self.choice.project.id}" if self.choice and has_balance else ""


def read_page_top(request: Request, actor: Actor | None) -> PageTop:
    """Nothing of it while the database does not answer: the page that says so must not need it."""
    if actor is None:
        return PageTop()
    services: Services = request.app.state.services
    try:
        is_announced = is_addressed(services.announced.get(), actor)
        with services.reading() as session:
            return PageTop(
                choice=project_choice(request, session, actor),
                unread_notices=count_unread(session, actor),
                announced=list_in_force(session, actor, at=services.clock.now()) if is_announced else (),
            )
    except SQLAlchemyError:
        return PageTop()
