"""Suspend, resume or close an organisation or a project: submission stops at once, what runs goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, insert, select, update
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.checks import require
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import NotAllowed, NotFound, Problem, ProjectNotFound, TenantClosed
from hpc_portal.app.jobs.cancel import request_cancel
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
_CANCEL_AT_ONCE = 500
_GOES_ON = (Phase.ACCEPTED, Phase.DISPATCHING, Phase.TRACKED)


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

    def work(connection: Connection) -> _Done:
        found = _lock(connection, _ORGANISATION.where(col(Organisation.slug) == slug))
        if found is None:
            raise hidden
        permissions.require(actor, Action.GRANT, organisation_id=found.id, hidden_as=hidden)
        tenant = _Tenant("organisation", slug, found.id, found.id, found.name, found.state)
        return _store(connection, services, actor, tenant, wanted)

    return _carry_out(services, actor, work, wanted)


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

    def work(connection: Connection) -> _Done:
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

    return _carry_out(services, actor, work, wanted)


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


@dataclass(frozen=True, slots=True)
class _Done:
    tenant: _Tenant
    is_new: bool


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
    """FOR UPDATE waits for whoever is storing jobs of it, and makes those wait who come later."""
    return connection.execute(statement.with_for_update()).first()


def _store(
    connection: Connection, services: Services, actor: Actor, tenant: _Tenant, wanted: StateChange
) -> _Done:
    if tenant.was is wanted.state:
        return _Done(tenant, is_new=False)
    if tenant.was is TenantState.CLOSED:
        raise TenantClosed(tenant.name)
    is_city = permissions.may(actor, Action.GRANT)
    if wanted.state is TenantState.ACTIVE and not is_city and _was_suspended_by_city(connection, tenant):
        raise NotAllowed(Action.STOP_PROJECTS, "the city's administrators, who suspended it")
    now = services.clock.now()
    model = Project if tenant.kind == "project" else Organisation
    connection.execute(update(model).where(col(model.id) == tenant.id).values(state=wanted.state))
    sequence = connection.execute(
        insert(TenantStateChange)
        .values(
            tenant_id=tenant.id,
            was=tenant.was,
            state=wanted.state,
            reason=wanted.reason.strip(),
            changed_by=actor.user_id if actor.user_id.int else None,
            by_city=is_city,
            at=now,
        )
        .returning(col(TenantStateChange.sequence))
    ).scalar_one()
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
    )
    return _Done(tenant, is_new=True)


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


def _carry_out(
    services: Services, actor: Actor, work: Callable[[Connection], _Done], wanted: StateChange
) -> StateChanged:
    """The state first, for good; then the jobs. Who is interrupted in between asks again, and only jobs that
    nobody cancelled yet are cancelled.
    """  # noqa: D205 - the order and what it is good for
    done = transact(services.engine, work)
    then = wanted.jobs
    if wanted.state is TenantState.CLOSED and then is JobsThen.KEEP:
        then = JobsThen.CANCEL_WAITING
    cancelled = 0
    if wanted.state is not TenantState.ACTIVE and then is not JobsThen.KEEP:
        cancelled = cancel_jobs(services, actor, done.tenant.jobs, then)
    services.wake.notify()
    return StateChanged(done.is_new, cancelled)


def cancel_jobs(services: Services, actor: Actor, jobs: ColumnElement[bool], then: JobsThen) -> int:
    """Ask for these to be cancelled, the running ones only when `then` says so; how many were asked for now.

    Raises:
        NotAllowed: the actor may not cancel one of them.
    """
    wanted = [jobs, col(Job.phase).in_(_GOES_ON), col(Job.cancel_requested_at).is_(None)]
    if then is not JobsThen.CANCEL_ALL:
        wanted.append(col(Job.state) == JobState.PENDING)
    with services.engine.connect() as connection:
        found = list(connection.scalars(select(col(Job.id)).where(*wanted).order_by(col(Job.id))))
    return sum(
        len(request_cancel(services, actor, found[start : start + _CANCEL_AT_ONCE]))
        for start in range(0, len(found), _CANCEL_AT_ONCE)
    )
