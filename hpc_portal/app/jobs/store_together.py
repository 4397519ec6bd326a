"""Store submissions: hold their budgets and insert their jobs, in a few statements for a whole batch."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import audit, events, paying_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.record import NewRun, record_runs
from hpc_portal.app.db import AnyRow
from hpc_portal.app.errors import IdempotencyKeyReused
from hpc_portal.app.events import Event
from hpc_portal.app.files.workspace import workspace_path
from hpc_portal.app.ids import new_id
from hpc_portal.app.jobs import check_limits
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.origin import NO_ORIGIN, Origin
from hpc_portal.app.jobs.prepare import PreparedJob, SubmitRequest
from hpc_portal.app.jobs.tables import EditedScript
from hpc_portal.app.jobs.wish import HeldBy
from hpc_portal.app.notices.choices import choices_for_jobs
from hpc_portal.app.notices.groups import Choice, NoticeGroup, choice_of
from hpc_portal.app.notices.tables import JobNotice
from hpc_portal.app.services import Services
from hpc_portal.app.tables import IdempotencyKey, Job
from quotas.errors import LimitExceeded
from quotas.hold import Held, HoldRequest, hold_together
from quotas.pricing import Estimate, PriceList
from quotas.subsidies import NO_SUBSIDY, Subsidy
from schedulers.jobspec import JobSpec, MailOn


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """The job, and whether this call made it."""

    job_id: UUID
    is_new: bool


class KeyTaken(Exception):
    """Another process stored the same Idempotency-Key in this very moment."""


class _SomeAreThere(Exception):
    """Jobs of the batch were stored by a commit whose answer got lost: each has to be looked at alone."""


_COUNTED: dict[str, Any] = {"preserve_rowcount": True}
"""Tells how many rows are new. RETURNING would tell which, in another statement for each number of rows."""
_INSERT_JOB = {
    "postgresql": postgresql.insert(Job).on_conflict_do_nothing().execution_options(**_COUNTED),
    "sqlite": sqlite.insert(Job).on_conflict_do_nothing().execution_options(**_COUNTED),
}
_KEY = (col(IdempotencyKey.user_id), col(IdempotencyKey.key))
_FIND_KEYS = select(*_KEY, col(IdempotencyKey.job_id), col(IdempotencyKey.request_hash)).where(
    tuple_(*_KEY).in_(bindparam("keys", expanding=True))
)
_INSERT_KEY = {
    "postgresql": postgresql.insert(IdempotencyKey).on_conflict_do_nothing().execution_options(**_COUNTED),
    "sqlite": sqlite.insert(IdempotencyKey).on_conflict_do_nothing().execution_options(**_COUNTED),
}


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission on its way into the database; it may be stored several times."""

    services: Services
    actor: Actor
    request: SubmitRequest
    prepared: PreparedJob
    estimate: Estimate
    price_list: PriceList
    subsidy: Subsidy = NO_SUBSIDY
    origin: Origin = NO_ORIGIN
    job_id: UUID = field(default_factory=new_id)
    """The same in every run: after a commit whose answer got lost, the job is found and not made again."""

    @property
    def key(self) -> tuple[UUID, str] | None:
        """Keys of different people never meet."""
        key = self.request.idempotency_key
        return (self.actor.user_id, key) if key else None

    def hold_request(self) -> HoldRequest:
        """What has to be set aside."""
        return HoldRequest(
            project_id=self.prepared.project_id,
            job_id=self.job_id,
            unit=self.estimate.unit,
            units=self.estimate.units,
            partition=self.prepared.spec.partition or "",
            price_list=self.price_list,
            subsidy=self.subsidy,
            units_at_once=self.prepared.spec.array.throttle if self.prepared.spec.array else None,
        )

    def row(self, at: datetime) -> dict[str, Any]:
        """Of the table of jobs."""
        prepared, actor, spec = self.prepared, self.actor, self.prepared.spec
        return {
            "id": self.job_id,
            "organisation_id": prepared.organisation_id,
            "project_id": prepared.project_id,
            "user_id": actor.user_id,
            "name": spec.name,
            "template": self.prepared.template,
            "parameters": prepared.parameters,
            "spec": spec.model_dump(mode="json", exclude_defaults=True),
            "workspace": workspace_path(
                organisation=prepared.organisation,
                account=prepared.account,
                cluster_user=prepared.cluster_user,
                job_id=self.job_id,
            ),
            "partition": spec.partition,
            "is_array": spec.array is not None,
            "phase": Phase.ACCEPTED,
            "state_reason": _first_reason(spec),
            "held_by": HeldBy.USER if spec.hold else None,
            "waits_for_jobs": bool(spec.dependencies),
            "scheduler": prepared.cluster.name,
            "submitted_at": at,
            "tasks_total": spec.task_count,
            "estimated_vnd": self.estimate.vnd,
            **self.origin.columns,
        }

    def campaign_run(self) -> NewRun | None:
        """The run that it is in a campaign; None when it is none."""
        prepared, template = self.prepared, self.prepared.template
        if template is None or prepared.stop_rule is None:
            return None
        return NewRun(
            job_id=self.job_id,
            project_id=prepared.project_id,
            user_id=self.actor.user_id,
            name=prepared.spec.name,
            template=template,
            rule=prepared.stop_rule,
            rerun_of=self.request.rerun_of,
        )

    def event(self) -> Event:
        """What followers are told."""
        facts: dict[str, Any] = {"name": self.prepared.spec.name}
        if self.prepared.generated_script is not None:
            facts["is_script_edited"] = True
        return Event(self.job_id, self.prepared.project_id, "job.submitted", facts)

    @property
    def is_told_to(self) -> frozenset[UUID]:
        """Whose choices say what is told of it: of a service account's job those who answer for that."""
        return self.actor.answered_for_by or frozenset({self.actor.user_id})

    def notice_row(self, chosen: Mapping[UUID, Mapping[NoticeGroup, Choice]]) -> dict[str, Any] | None:
        """Of the table of what people want to be told: with this job, or of all of theirs; None: nothing.

        Each of several people is told only what they chose by themselves: see tell_owners.
        """
        spec, mail_on = self.prepared.spec, self.prepared.spec.mail_on
        choices = [chosen.get(person, {}) for person in self.is_told_to]
        wanted = {
            group
            for group in NoticeGroup
            if any(choice_of(group, made.get(group)).is_any for made in choices)
        }
        flags = {
            "at_begin": MailOn.BEGIN in mail_on or NoticeGroup.JOBS_STARTED in wanted,
            "at_end": MailOn.END in mail_on or NoticeGroup.JOBS_ENDED in wanted,
            "at_failure": MailOn.FAIL in mail_on or NoticeGroup.JOBS_FAILED in wanted,
            "near_end": spec.array is None and NoticeGroup.JOBS_NEAR_END in wanted,
            "as_campaign": self.prepared.stop_rule is not None and NoticeGroup.CAMPAIGNS in wanted,
        }
        return {"job_id": self.job_id, **flags} if any(flags.values()) else None

    def key_row(self, at: datetime) -> dict[str, Any]:
        """Of the table of keys; only for a submission that has one."""
        return {
            "user_id": self.actor.user_id,
            "key": self.request.idempotency_key,
            "request_hash": _hash(self.request),
            "job_id": self.job_id,
            "created_at": at,
        }


def store_together(
    connection: Connection, submissions: Sequence[Submission]
) -> list[SubmittedJob | Exception]:
    """Hold budgets and insert jobs, in a handful of statements for all; each stands or is refused alone."""
    stored = _stored_keys(connection, [one.key for one in submissions if one.key])
    limited = submissions[0].services.limited.get()
    seen = set(stored)
    together: list[Submission] = []
    for one in submissions:
        is_repeated = one.key is not None and one.key in seen
        if not is_repeated and not check_limits.is_limited(one.actor, one.prepared, limited):
            together.append(one)
        if one.key:
            seen.add(one.key)
    outcomes = dict(zip((one.job_id for one in together), _store_new(connection, together), strict=True))
    for one in submissions:
        if one.job_id not in outcomes:
            outcomes[one.job_id] = _store_apart(connection, one, limited)
    return [outcomes[one.job_id] for one in submissions]


def _store_apart(
    connection: Connection, one: Submission, limited: Collection[UUID]
) -> SubmittedJob | Exception:
    """One whose limits count the jobs before it, or whose key came before."""
    try:
        for row in _stored_keys(connection, [one.key] if one.key else []).values():
            return _repeated(one.request, row)
        check_limits.require_within(connection, actor=one.actor, prepared=one.prepared, limited=limited)
    except (IdempotencyKeyReused, LimitExceeded) as refusal:
        return refusal
    (outcome,) = _store_new(connection, [one])
    return outcome


def _store_new(connection: Connection, submissions: Sequence[Submission]) -> list[SubmittedJob | Exception]:
    """A project may have been suspended since a job was prepared: that is decided in this transaction."""
    refused = paying_projects.refusals(connection, {one.prepared.project_id for one in submissions})
    going = [one for one in submissions if one.prepared.project_id not in refused]
    stored = iter(_store_active(connection, going))
    return [refused.get(one.prepared.project_id) or next(stored) for one in submissions]


def _store_active(
    connection: Connection, submissions: Sequence[Submission]
) -> list[SubmittedJob | Exception]:
    if not submissions:
        return []
    now = submissions[0].services.clock.now()
    dialect = connection.dialect.name
    holds = hold_together(connection, [one.hold_request() for one in submissions], at=now)
    held = [one for one, outcome in zip(submissions, holds, strict=True) if isinstance(outcome, Held)]
    if held:
        made = connection.execute(_INSERT_JOB[dialect], [one.row(now) for one in held]).rowcount
        if made == len(held):
            _store_notices(connection, held)
            _store_keys(connection, [one.key_row(now) for one in held if one.key])
            record_runs(connection, [run for one in held if (run := one.campaign_run())], at=now)
            events.record(connection, [one.event() for one in held], at=now)
            _store_edited_scripts(connection, held, at=now)
        elif len(held) > 1:
            raise _SomeAreThere
    return [
        SubmittedJob(one.job_id, is_new=True) if isinstance(outcome, Held) else outcome
        for one, outcome in zip(submissions, holds, strict=True)
    ]


def _store_notices(connection: Connection, submissions: Sequence[Submission]) -> None:
    chosen = choices_for_jobs(connection, {person for one in submissions for person in one.is_told_to})
    rows = [row for one in submissions if (row := one.notice_row(chosen))]
    if rows:
        connection.execute(insert(JobNotice), rows)


def _store_edited_scripts(connection: Connection, submissions: Sequence[Submission], *, at: datetime) -> None:
    """Both texts are kept: what the template made here, what runs in the job's spec."""
    for one in submissions:
        if one.prepared.generated_script is None:
            continue
        row = {"job_id": one.job_id, "generated": one.prepared.generated_script}
        connection.execute(insert(EditedScript), row)
        audit.record(
            connection,
            at=at,
            actor=one.actor,
            action="job.script_edited",
            subject=str(one.job_id),
            template=one.prepared.template,
            project=one.prepared.account,
        )


def _store_keys(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and connection.execute(_INSERT_KEY[connection.dialect.name], rows).rowcount < len(rows):
        raise KeyTaken


def _stored_keys(connection: Connection, keys: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], AnyRow]:
    if not keys:
        return {}
    return {(row.user_id, row.key): row for row in connection.execute(_FIND_KEYS, {"keys": keys})}


def _repeated(request: SubmitRequest, stored: AnyRow) -> SubmittedJob:
    """The job that the key made before.

    Raises:
        IdempotencyKeyReused: for another request.
    """
    if stored.request_hash != _hash(request):
        raise IdempotencyKeyReused(stored.key)
    return SubmittedJob(stored.job_id, is_new=False)


def _first_reason(spec: JobSpec) -> str:
    """Why it does not start at once, in the words of squeue(1); "" when nothing is in its way yet."""
    if spec.hold:
        return "JobHeldUser"
    return "Dependency" if spec.dependencies else ""


def _hash(request: SubmitRequest) -> str:
    """Of what was asked, not of the key; equal requests hash equally whatever the order of their fields."""
    content = {
        "project": request.project,
        "template": request.template,
        "parameters": dict(request.parameters) if request.parameters is not None else None,
        "spec": request.spec.model_dump(mode="json") if request.spec else None,
        **({} if request.script is None else {"script": request.script}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def find_repeated(services: Services, actor: Actor, request: SubmitRequest) -> SubmittedJob | None:
    """The job that the request's key made before.

    Raises:
        IdempotencyKeyReused: for another request.
    """
    if not request.idempotency_key:
        return None
    with services.engine.connect() as connection:
        stored = _stored_keys(connection, [(actor.user_id, request.idempotency_key)])
    return next((_repeated(request, row) for row in stored.values()), None)
