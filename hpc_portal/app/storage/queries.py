"""How visible projects stand with storage; reads only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.accounts.queries import ProjectRecord, get_project
from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action, may
from hpc_portal.app.reports.period import local_day
from hpc_portal.app.storage.measure_again import may_measure
from quotas.storage_report import storage_days
from quotas.storage_standing import StorageStanding, storage_standings

_SHOWN_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageNow:
    """One project's storage, and what the asking person may do about it."""

    standing: StorageStanding
    may_measure: bool
    """They may have it measured again."""
    may_ask: bool
    """They may ask for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectStorage(StorageNow):
    """The same, with the days before."""

    days: list[tuple[date, int]]
    """Samples of the last month: day and bytes, the first day in front."""


def project_storage(session: Session, actor: Actor, account: str, *, at: datetime) -> ProjectStorage:
    """One project's storage.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    project = get_project(session, actor, account)
    now = storage_now(session, actor, [project], at=at)[project.id]
    until = local_day(at) + timedelta(days=1)
    since = until - timedelta(days=_SHOWN_DAYS)
    return ProjectStorage(
        standing=now.standing,
        may_measure=now.may_measure,
        may_ask=now.may_ask,
        days=storage_days(session.connection(), project.id, since=since, until=until),
    )


def storage_now(
    session: Session, actor: Actor, projects: Collection[ProjectRecord], *, at: datetime
) -> dict[UUID, StorageNow]:
    """Of projects that the actor may see, by id; in as many statements as for one."""
    standings = storage_standings(session.connection(), at=at, projects=[project.id for project in projects])
    return {
        project.id: StorageNow(
            standing=standings[project.id],
            may_measure=may_measure(actor, organisation_id=project.organisation_id, project_id=project.id),
            may_ask=may(
                actor, Action.REQUEST, organisation_id=project.organisation_id, project_id=project.id
            ),
        )
        for project in projects
    }
