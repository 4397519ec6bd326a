"""Where a project's shared files lie, told to those who may see or change them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpc_portal.app import permissions
from hpc_portal.app.accounts.queries import ProjectRecord, get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.files.shared_folder import open_gate, shared_folder
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services


@dataclass(frozen=True, slots=True)
class FilesPlace:
    """A project's shared files as `app/files` addresses them."""

    project: ProjectRecord
    root: Path
    """The workspace root."""
    folder: str
    """Relative to it; not there before the first upload or job."""
    may_change: bool
    """The asking person may upload, rename and delete."""

    @contextmanager
    def gate(self) -> Iterator[int]:
        """A descriptor of the folder that holds the files and, beside them, what is being uploaded."""
        project = self.project
        with open_gate(self.root, organisation=project.organisation, account=project.account) as gate:
            yield gate


def files_to_see(services: Services, actor: Actor, account: str) -> FilesPlace:
    """The files of a project that the actor may see.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
    """
    with services.reading() as session:
        project = get_project(session, actor, account)
    return FilesPlace(
        project,
        services.settings.effective_workspace_root,
        shared_folder(organisation=project.organisation, account=project.account),
        permissions.may(
            actor, Action.CHANGE_FILES, organisation_id=project.organisation_id, project_id=project.id
        ),
    )


def files_to_change(services: Services, actor: Actor, account: str) -> FilesPlace:
    """The files of a project in which the actor works.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees them, but may not change them.
    """
    place = files_to_see(services, actor, account)
    project = place.project
    permissions.require(
        actor, Action.CHANGE_FILES, organisation_id=project.organisation_id, project_id=project.id
    )
    return place
