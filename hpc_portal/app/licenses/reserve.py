"""Keep licences for one project's jobs, or keep them no longer."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.find import find_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.licenses.queries import license_use
from hpc_portal.app.licenses.supply import kept_for_projects
from hpc_portal.app.licenses.tables import LicenseReservation
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services


def reserve_licenses(services: Services, actor: Actor, *, feature: str, project: str, count: int) -> int:
    """Keep so many for the project, 0 keeps none; how many it were before. Again is fine.

    It holds on our own clusters within a second or two; what runs already goes on.

    Raises:
        NotAllowed: administrators only.
        ProjectNotFound: no such project.
        InvalidEntry: no such feature, or more than there are beside those kept for others.
    """
    permissions.require(actor, Action.GRANT)

    def work(connection: Connection) -> int:
        project_id = find_project(connection, project).id
        _require_as_many(connection, actor, feature, project, count)
        before = kept_for_projects(connection).get(feature, {}).get(project, 0)
        if before != count:
            _write(connection, feature, project_id, count)
            audit.record(
                connection,
                at=services.clock.now(),
                actor=actor,
                action="license.reserved",
                subject=project,
                feature=feature,
                count=count,
                was={"count": before},
            )
        return before

    return transact(services.engine, work)


def _require_as_many(connection: Connection, actor: Actor, feature: str, project: str, count: int) -> None:
    if count < 0:
        raise InvalidEntry([Problem("count", "Enter 0 or a whole number above it.")])
    if not count:
        return  # whatever became of the feature, what is kept of it can be let go
    use = next((one for one in license_use(connection, actor) if one.name == feature), None)
    if use is None:
        raise InvalidEntry([Problem("feature", "No cluster and no licence server has such a feature.")])
    kept = kept_for_projects(connection).get(feature, {})
    most = use.total - sum(kept.values()) + kept.get(project, 0)
    if count > most:
        raise InvalidEntry(
            [
                Problem(
                    "count",
                    "There are %(total)s, and at most %(most)s are not kept for other projects.",
                    {"total": use.total, "most": most},
                )
            ]
        )


def _write(connection: Connection, feature: str, project_id: UUID, count: int) -> None:
    is_it = (col(LicenseReservation.feature) == feature, col(LicenseReservation.project_id) == project_id)
    if not count:
        connection.execute(delete(LicenseReservation).where(*is_it))
        return
    added = _INSERT[connection.dialect.name](LicenseReservation).values(
        feature=feature, project_id=project_id, count=count
    )
    connection.execute(
        added.on_conflict_do_update(index_elements=["feature", "project_id"], set_={"count": count})
    )


_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
"""Two administrators may reserve at the same instant: the later one's number stands."""
