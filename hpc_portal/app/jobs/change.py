"""Change a job under way: record the wish; the controller carries it out, also when the scheduler is away.

A job that no scheduler has yet is changed at once, in the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select
from sqlmodel import col

from hpc_portal.app import audit, events, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.errors import ChangeImpossible, JobNotFound, Problem
from hpc_portal.app.events import Event
from hpc_portal.app.jobs import check_limits
from hpc_portal.app.jobs.apply_change import apply_change, drop_undispatched_tasks, is_held
from hpc_portal.app.jobs.check_change import JobNow, needs_administrator, objection
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.wish import ChangeKind, ChangeState, HeldBy, facts_of, held_at_scheduler, kind_of
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job, JobChange, JobTask
from quotas.tables import Organisation, Project
from quotas.top_up import top_up_hold
from schedulers import protocol
from schedulers.cluster import ClusterSnapshot
from schedulers.jobspec import JobSpec
from schedulers.tres import times


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A job for which the change makes no sense as it stands, and why."""

    job_id: UUID
    problem: Problem


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a wish for several jobs."""

    changes: Mapping[UUID, int]
    """The number of the change, for each job that has the wish recorded."""
    left_out: tuple[LeftOut, ...] = ()


def request_change(
    services: Services, actor: Actor, job_ids: Sequence[UUID], change: protocol.JobChange
) -> Recorded:
    """Ask for the same change of jobs; those that cannot be changed so, as they stand, are left out.

    When the actor may not change one of them, none is. A longer walltime is priced and held at once; a
    shorter one frees budget when it is carried out.

    Raises:
        JobNotFound: one does not exist or is not visible to the actor.
        NotAllowed: the actor sees one but may not change it so.
        BudgetExceeded, LimitExceeded: a longer walltime is not paid for, or more than somebody may ask for.
    """
    clusters = {cluster.name: cluster for cluster in services.clusters.get()}
    work = _Request(services, actor, list(dict.fromkeys(job_ids)), change, clusters)
    recorded = transact(services.engine, work.record)
    if recorded.changes:
        services.wake.notify()
    return recorded


def request_one_change(services: Services, actor: Actor, job_id: UUID, change: protocol.JobChange) -> int:
    """Ask for a change of one job; the number of the change.

    Raises:
        ChangeImpossible: it makes no sense for the job as it stands; nothing was recorded.
        JobNotFound, NotAllowed, BudgetExceeded, LimitExceeded: as in `request_change`.
    """
    recorded = request_change(services, actor, [job_id], change)
    if recorded.left_out:
        raise ChangeImpossible(recorded.left_out[0].problem)
    return recorded.changes[job_id]


_JOBS = (
    select(
        col(Job.id),
        col(Job.phase),
        col(Job.spec),
        col(Job.user_id),
        col(Job.project_id),
        col(Job.organisation_id),
        col(Job.scheduler),
        col(Job.state_reason),
        col(Job.cancel_requested_at),
        col(Job.held_by),
        col(Job.is_external),
        col(Job.tasks_total),
        col(Job.tasks_running),
        (col(Job.tasks_completed) + col(Job.tasks_failed) + col(Job.tasks_cancelled)).label("tasks_ended"),
        col(Project.account),
        col(Organisation.slug),
    )
    .join(Project, col(Project.id) == col(Job.project_id))
    .join(Organisation, col(Organisation.id) == col(Job.organisation_id))
    .order_by(col(Job.id))
    .with_for_update(of=Job, key_share=True)
)
_HOLD_KINDS = (ChangeKind.HOLD, ChangeKind.RELEASE)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request; `record` may run several times."""

    services: Services
    actor: Actor
    job_ids: list[UUID]
    change: protocol.JobChange
    clusters: Mapping[str, ClusterSnapshot]
    """By name."""

    def record(self, connection: Connection) -> Recorded:
        """Check, hold and store; all of it or, on any error, nothing."""
        now = self.services.clock.now()
        rows = {row.id: row for row in connection.execute(_JOBS.where(col(Job.id).in_(self.job_ids)))}
        events.take_turns(connection)
        wanted_holds = self._wanted_holds(connection)
        jobs: dict[UUID, JobNow] = {}
        for job_id in self.job_ids:
            row = rows.get(job_id)
            if row is None:
                raise JobNotFound(job_id)
            jobs[job_id] = self._job_now(connection, row, wanted_holds)
            self._require_may(row, jobs[job_id])
        changes: dict[UUID, int] = {}
        left_out: list[LeftOut] = []
        told: list[Event] = []
        for job_id, job in jobs.items():
            change = self._change_of(rows[job_id])
            if problem := objection(job, change, now=now):
                left_out.append(LeftOut(job_id, problem))
                continue
            if isinstance(change, protocol.SetWalltime):
                self._pay(connection, rows[job_id], job, change.walltime_seconds, at=now)
            changes[job_id], events_of_job = self._store(connection, rows[job_id], change, at=now)
            told += events_of_job
        events.record(connection, told, at=now)
        return Recorded(changes, tuple(left_out))

    def _change_of(self, row: AnyRow) -> protocol.JobChange:
        """What is asked of this job: its cluster may count time limits in whole minutes.

        An administrator's hold of somebody else's job binds its owner, and only they release it.
        """
        change, is_own = self.change, self.actor.looks_after(row.user_id)
        if isinstance(change, protocol.SetWalltime) and (cluster := self.clusters.get(row.scheduler)):
            return protocol.SetWalltime(cluster.whole_walltime(change.walltime_seconds))
        if isinstance(change, protocol.ReleaseJob) or (isinstance(change, protocol.HoldJob) and not is_own):
            may = permissions.may(self.actor, Action.ADMINISTER_JOBS)
            return replace(change, by_administrator=may)
        return change

    def _wanted_holds(self, connection: Connection) -> dict[UUID, HeldBy | None]:
        """Who will hold each job once the wishes before this one are carried out."""
        wishes = connection.execute(
            select(col(JobChange.job_id), col(JobChange.kind), col(JobChange.facts))
            .where(
                col(JobChange.job_id).in_(self.job_ids),
                col(JobChange.decided_at).is_(None),
                col(JobChange.kind).in_(_HOLD_KINDS),
            )
            .order_by(col(JobChange.sequence))
        )
        return {row.job_id: _held_by(row.kind, row.facts) for row in wishes}

    def _job_now(
        self, connection: Connection, row: AnyRow, wanted_holds: Mapping[UUID, HeldBy | None]
    ) -> JobNow:
        spec = JobSpec.model_validate(row.spec)
        since = None
        if isinstance(self.change, protocol.SetWalltime):
            runs = select(func.min(col(JobTask.started_at))).where(
                col(JobTask.job_id) == row.id, col(JobTask.ended_at).is_(None)
            )
            since = connection.execute(runs).scalar()
        cluster = self.clusters.get(row.scheduler)
        partition = cluster.partition(spec.partition) if cluster else None
        return JobNow(
            spec=spec,
            phase=row.phase,
            is_being_cancelled=row.cancel_requested_at is not None,
            held_by=wanted_holds.get(row.id, row.held_by or held_at_scheduler(row.state_reason)),
            tasks_waiting=row.tasks_total - row.tasks_running - row.tasks_ended,
            tasks_running=row.tasks_running,
            running_since=since,
            is_external=row.is_external,
            partition_most_seconds=partition.max_walltime_seconds if partition else None,
        )

    def _require_may(self, row: AnyRow, job: JobNow) -> None:
        is_own = self.actor.looks_after(row.user_id)
        if isinstance(self.change, protocol.CancelTasks):
            action = Action.CANCEL_OWN if is_own else Action.CANCEL_ANY
        else:
            action = Action.CHANGE_OWN if is_own else Action.CHANGE_ANY
        permissions.require(
            self.actor,
            action,
            organisation_id=row.organisation_id,
            project_id=row.project_id,
            hidden_as=JobNotFound(row.id),
        )
        if needs_administrator(job, self.change):
            permissions.require(self.actor, Action.ADMINISTER_JOBS)

    def _pay(self, connection: Connection, row: AnyRow, job: JobNow, seconds: int, *, at: datetime) -> None:
        """Hold what a longer walltime may cost, before anybody grants it."""
        asked = job.spec.resources
        if seconds <= (asked.walltime_seconds or 0):
            return
        check_limits.require_walltime_within(
            connection,
            seconds,
            user=(self.actor.user_id, self.actor.username),
            project=(row.project_id, row.account),
            organisation=(row.organisation_id, row.slug),
        )
        if is_held(connection, row.id):
            top_up_hold(connection, job_id=row.id, at=at, unit=times(asked.tres, seconds))

    def _store(
        self, connection: Connection, row: AnyRow, change: protocol.JobChange, *, at: datetime
    ) -> tuple[int, list[Event]]:
        kind, facts = kind_of(change), facts_of(change)
        is_here = row.phase is Phase.ACCEPTED
        sequence = connection.execute(
            insert(JobChange)
            .values(
                job_id=row.id,
                kind=kind,
                facts=facts,
                requested_by=self.actor.user_id,
                requested_at=at,
                state=ChangeState.CARRIED if is_here else ChangeState.REQUESTED,
                decided_at=at if is_here else None,
            )
            .returning(col(JobChange.sequence))
        ).scalar_one()
        said: dict[str, Any] = {"change": kind, **facts, "by": self.actor.username}
        told = [Event(row.id, row.project_id, "job.changed" if is_here else "job.change_requested", said)]
        if is_here and isinstance(change, protocol.CancelTasks):
            if state := drop_undispatched_tasks(connection, row.id, change, at=at):
                told.append(Event(row.id, row.project_id, "job.state", {"state": state}))
        elif is_here:
            apply_change(connection, row.id, change, at=at)
        audit.record(
            connection,
            at=at,
            actor=self.actor,
            action="job.change_requested",
            subject=str(row.id),
            change=kind,
            **facts,
        )
        return int(sequence or 0), told


def _held_by(kind: ChangeKind, facts: Mapping[str, Any]) -> HeldBy | None:
    if kind is ChangeKind.RELEASE:
        return None
    return HeldBy.ADMINISTRATOR if facts.get("by_administrator") else HeldBy.USER
