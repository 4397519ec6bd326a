"""Suspend, resume or close an organisation or a project: submission stops at once, what runs goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit, events, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import NotAllowed, NotFound, Problem, ProjectNotFound, TenantClosed
from hpc_portal.app.jobs.cancel import record_wishes
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.notify import notify
from hpc_portal.app.notices.recipients import leads, managers
from hpc_portal.app.paying_projects import STOPPED_PROJECTS
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job, ProjectMember, ProjectRole
from hpc_portal.app.tenants.tables import TenantStateChange
from quotas.tables import Organisation, Project, TenantState
from schedulers.jobstate import JobState

TENANT_STOPPED = "TenantStopped"
"""Why a job stays in the portal whose project or organisation is suspended."""
LONGEST_REASON = 1000


class JobsThen(StrEnum):
    """What becomes of the jobs that are there."""

    KEEP = "keep"
    """What the cluster has goes on, in its turn; what the portal still has waits until the tenant is resumed.
    When it is closed nobody will, so that those are cancelled as by CANCEL_WAITING."""
    CANCEL_WAITING = "cancel_waiting"
    """Jobs of which nothing has started are cancelled."""
    CANCEL_ALL = "cancel_all"
    """Running ones too."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """What is wanted."""

    state: TenantState
    reason: str
    """Shown to the tenant's people; may be empty only when it is resumed."""
    jobs: JobsThen = JobsThen.KEEP


@dataclass(frozen=True, slots=True)
class StateChanged:
    """What was done."""

    is_new: bool
    """False when it was in that state already: then only jobs were cancelled, where that was asked."""
    jobs_cancelled: int
    """So many cancellations were asked for by this call."""


def change_organisation_state(
    services: Services, actor: Actor, slug: str, wanted: StateChange
) -> StateChanged:
    """Suspend, resume or close an organisation and with it all its projects, whose own states stay.

    Raises:
        NotFound: there is none, or none that the actor may see.
        NotAllowed: only administrators may.
        InvalidEntry: no reason is given, or it is too long.
        TenantClosed: it is closed for good.
    """
    _require_reason(wanted)
    hidden = NotFound("organisation", slug)

    def work(connection: Connection) -> StateChanged:
        found = _lock(connection, _ORGANISATION.where(col(Organisation.slug) == slug))
        if found is None:
            raise hidden
        permissions.require(actor, Action.GRANT, organisation_id=found.id, hidden_as=hidden)
        tenant = _Tenant("organisation", slug, found.id, found.id, found.name, found.state)
        return _store(connection, services, actor, tenant, wanted)

    return _carry_out(services, work)


def change_project_state(services: Services, actor: Actor, account: str, wanted: StateChange) -> StateChanged:
    """Suspend, resume or close one project.

    Managers may with their organisation's; but not resume what the city's administrators suspended.

    Raises:
        ProjectNotFound: there is none, or none that the actor may see.
        NotAllowed: the actor sees it, but may not.
        InvalidEntry: no reason is given, or it is too long.
        TenantClosed: it is closed for good.
    """
    _require_reason(wanted)

    def work(connection: Connection) -> StateChanged:
        found = _lock(connection, _PROJECT.where(col(Project.account) == account))
        if found is None:
            raise ProjectNotFound(account)
        permissions.require(
            actor,
            Action.STOP_PROJECTS,
            organisation_id=found.organisation_id,
            project_id=found.id,
            hidden_as=ProjectNotFound(account),
        )
        tenant = _Tenant("project", account, found.id, found.organisation_id, account, found.state)
        return _store(connection, services, actor, tenant, wanted)

    return _carry_out(services, work)


@dataclass(frozen=True, slots=True)
class _Tenant:
    kind: str
    """`organisation` or `project`."""
    key: str
    """Its slug or account."""
    id: UUID
    organisation_id: UUID
    name: str
    was: TenantState

    @property
    def jobs(self) -> ColumnElement[bool]:
        """A WHERE clause: its jobs."""
        return (col(Job.project_id) if self.kind == "project" else col(Job.organisation_id)) == self.id


_ORGANISATION: Select[*tuple[Any, ...]] = select(
    col(Organisation.id), col(Organisation.name), col(Organisation.state)
)
_PROJECT: Select[*tuple[Any, ...]] = select(col(Project.id), col(Project.organisation_id), col(Project.state))


def _require_reason(wanted: StateChange) -> None:
    is_needed = wanted.state is not TenantState.ACTIVE
    require(
        [
            Problem("reason", "Say why: the people whose jobs stop will read it.")
            if is_needed and not wanted.reason.strip()
            else None,
            Problem("reason", "Use at most %(most)s characters.", {"most": LONGEST_REASON})
            if len(wanted.reason) > LONGEST_REASON
            else None,
        ]
    )


def _lock(connection: Connection, statement: Select[*tuple[Any, ...]]) -> AnyRow | None:
    """FOR UPDATE waits for whoever is storing jobs of it, and makes those wait who come later.

    They have their turn at recording events by then: so must we, or each would wait for the other.
    """
    events.take_turns(connection)
    return connection.execute(statement.with_for_update()).first()


def _store(
    connection: Connection, services: Services, actor: Actor, tenant: _Tenant, wanted: StateChange
) -> StateChanged:
    if tenant.was is TenantState.CLOSED and wanted.state is not TenantState.CLOSED:
        raise TenantClosed(tenant.name)
    now = services.clock.now()
    is_new = tenant.was is not wanted.state
    if is_new:
        _enter(connection, actor, tenant, wanted, now)
    cancelled = cancel_jobs(connection, tenant.jobs, wanted, by=actor.username, at=now)
    if is_new or cancelled:
        audit.record(
            connection,
            at=now,
            actor=actor,
            action=f"{tenant.kind}.state_changed",
            subject=tenant.key,
            state=wanted.state.value,
            was=tenant.was.value,
            reason=wanted.reason.strip(),
            jobs=wanted.jobs.value,
            jobs_cancelled=cancelled,
        )
    return StateChanged(is_new, cancelled)


def _enter(connection: Connection, actor: Actor, tenant: _Tenant, wanted: StateChange, now: datetime) -> None:
    is_city = permissions.may(actor, Action.GRANT)
    if wanted.state is TenantState.ACTIVE and not is_city and _was_suspended_by_city(connection, tenant):
        raise NotAllowed(Action.STOP_PROJECTS, "the city's administrators, who suspended it")
    model = Project if tenant.kind == "project" else Organisation
    connection.execute(update(model).where(col(model.id) == tenant.id).values(state=wanted.state))
    sequence = record_state(
        connection, tenant.id, tenant.was, wanted.state, wanted.reason.strip(), actor=actor, at=now
    )
    _tell_jobs(connection, tenant)
    people = managers(connection, tenant.organisation_id) | _leads(connection, tenant)
    notify(
        connection,
        to=people - {actor.user_id},
        kind=_NOTICES[wanted.state],
        facts={"tenant": tenant.name, "by": actor.display_name, "reason": wanted.reason.strip()},
        at=now,
        key=f"tenant-state:{sequence}",
    )


def record_state(  # noqa: PLR0913 - one row
    connection: Connection,
    tenant_id: UUID,
    was: TenantState,
    state: TenantState,
    reason: str,
    *,
    actor: Actor,
    at: datetime,
) -> int:
    """Write the history of a tenant's state; the row's number."""
    sequence = connection.execute(
        insert(TenantStateChange)
        .values(
            tenant_id=tenant_id,
            was=was,
            state=state,
            reason=reason,
            changed_by=actor.user_id if actor.user_id.int else None,
            by_city=permissions.may(actor, Action.GRANT),
            at=at,
        )
        .returning(col(TenantStateChange.sequence))
    ).scalar_one()
    return int(sequence or 0)


def _was_suspended_by_city(connection: Connection, tenant: _Tenant) -> bool:
    last = (
        select(col(TenantStateChange.by_city))
        .where(col(TenantStateChange.tenant_id) == tenant.id)
        .order_by(col(TenantStateChange.sequence).desc())
        .limit(1)
    )
    return connection.execute(last).scalar() is not False


def _tell_jobs(connection: Connection, tenant: _Tenant) -> None:
    """Jobs that the portal still has say that they wait for this, or for this no more."""
    here = (tenant.jobs, col(Job.phase) == Phase.ACCEPTED)
    stopped = col(Job.project_id).in_(STOPPED_PROJECTS)
    for reason, becomes, where in (("", TENANT_STOPPED, stopped), (TENANT_STOPPED, "", ~stopped)):
        connection.execute(
            update(Job).where(*here, col(Job.state_reason) == reason, where).values(state_reason=becomes)
        )


def _leads(connection: Connection, tenant: _Tenant) -> set[UUID]:
    if tenant.kind == "project":
        return leads(connection, tenant.id)
    return set(
        connection.scalars(
            select(col(ProjectMember.user_id))
            .join(Project, col(Project.id) == col(ProjectMember.project_id))
            .where(col(Project.organisation_id) == tenant.id, col(ProjectMember.role) == ProjectRole.LEAD)
        )
    )


_NOTICES = {
    TenantState.ACTIVE: NoticeKind.TENANT_RESUMED,
    TenantState.SUSPENDED: NoticeKind.TENANT_SUSPENDED,
    TenantState.CLOSED: NoticeKind.TENANT_CLOSED,
}


def _carry_out(services: Services, work: Callable[[Connection], StateChanged]) -> StateChanged:
    done = transact(services.engine, work)
    services.wake.notify()
    return done


def cancel_jobs(
    connection: Connection, jobs: ColumnElement[bool], wanted: StateChange, *, by: str, at: datetime
) -> int:
    """Ask for the tenant's jobs to be cancelled as far as that is wanted; how many were asked for now."""
    if wanted.state is TenantState.ACTIVE:
        return 0
    if wanted.jobs is JobsThen.CANCEL_ALL:
        which = jobs
    elif wanted.jobs is JobsThen.CANCEL_WAITING or wanted.state is TenantState.CLOSED:
        which = jobs & (col(Job.state) == JobState.PENDING)
    else:
        return 0
    return len(record_wishes(connection, which, by=by, at=at))
