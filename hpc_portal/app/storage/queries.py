"""How visible projects stand with storage; reads only."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from hpc_portal.app.accounts.queries import get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.reports.period import local_day
from hpc_portal.app.storage.measure_again import may_measure
from quotas.storage_report import storage_days
from quotas.storage_standing import StorageStanding, storage_standings

_SHOWN_DAYS = 31


@dataclass(frozen=True, slots=True)
class ProjectStorage:
    """One project's storage now, and on the days before."""

    standing: StorageStanding
    days: list[tuple[date, int]]
    """Samples of the last month: day and bytes, the first day in front."""
    may_measure: bool
    """The asking person may have it measured again."""
    may_ask: bool
    """They may ask for more."""


def project_storage(session: Session, actor: Actor, account: str, *, at: datetime) -> ProjectStorage:
    """One project's storage.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    connection = session.connection()
    until = local_day(at) + timedelta(days=1)
    return ProjectStorage(
        storage_standings(connection, at=at, projects=[project.id])[project.id],
        storage_days(connection, project.id, since=until - timedelta(days=_SHOWN_DAYS), until=until),
        may_measure=may_measure(actor, organisation_id=project.organisation_id, project_id=project.id),
        may_ask=may(actor, Action.REQUEST, organisation_id=project.organisation_id, project_id=project.id),
    )
