"""Whose a run is that a cluster's accounting tells of: the portal's own, a tenant's, or nobody's we know."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.external.shape import external_id
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import ClusterAccount, Job
from quotas.tables import Organisation, Project
from schedulers.external import ExternalRun
from workloads.template import N_

NO_PROJECT = N_("The portal has no project with this account.")
NO_PERSON = N_("Nobody in the portal is this user there.")
IN_DOUBT = N_("The portal does not know yet whether it submitted this job.")
"""Why a run is unclaimed."""
_CHUNK = 500
_CLOCK_SLACK = timedelta(hours=1)
"""Between the clocks of portal and cluster, and between an end and when the portal heard of it."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who submitted a run past the portal, and who pays for it."""

    user_id: UUID
    project_id: UUID
    organisation_id: UUID
    organisation: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What became of some runs."""

    external: Sequence[tuple[ExternalRun, Tenant]]
    unclaimed: Sequence[tuple[ExternalRun, str]]
    """With the reason, in words for an administrator."""
    own: Sequence[ExternalRun]
    """Submitted by the portal, which follows and charges them itself."""


def claim_runs(connection: Connection, cluster: str, runs: Sequence[ExternalRun]) -> Claims:
    """Tell runs apart. Nothing is written.

    A comment that names one of the portal's jobs proves nothing: the job must be known to have become this
    very run. Only where that is still open does a run wait, rather than being charged twice.
    """
    known = _portal_jobs(connection, cluster, runs)
    named = _named_jobs(connection, cluster, runs)
    in_doubt = _jobs_in_doubt(connection, cluster)
    shown = _shown(connection, {_id(cluster, run) for run in runs}) if in_doubt else set()
    projects = _projects(connection, {run.account for run in runs})
    users = _users(connection, cluster, {run.cluster_user for run in runs})
    external: list[tuple[ExternalRun, Tenant]] = []
    unclaimed: list[tuple[ExternalRun, str]] = []
    own: list[ExternalRun] = []
    for run in runs:
        if any(_may_be(run, job) for job in known[run.scheduler_job_id]):
            own.append(run)
            continue
        project, user_id = projects.get(run.account), users.get(run.cluster_user)
        job = named.get(run.claims_job) if run.claims_job else None
        if job is not None and job.scheduler_job_id is None and job.phase is Phase.DISPATCHING:
            unclaimed.append((run, IN_DOUBT))
        elif project is None:
            unclaimed.append((run, NO_PROJECT))
        elif user_id is None:
            unclaimed.append((run, NO_PERSON))
        elif run.claims_job is None and (project.id, user_id) in in_doubt and _id(cluster, run) not in shown:
            unclaimed.append((run, IN_DOUBT))
        else:
            tenant = Tenant(user_id, project.id, project.organisation_id, project.slug)
            external.append((run, tenant))
    return Claims(external, unclaimed, own)


def _may_be(run: ExternalRun, job: Any) -> bool:  # noqa: ANN401 - a row
    """Whether the portal's job with this number is meant; Slurm's numbers may begin anew."""
    if run.submitted_at < job.submitted_at - _CLOCK_SLACK:
        return False
    return job.ended_at is None or run.submitted_at <= job.ended_at + _CLOCK_SLACK


def _portal_jobs(connection: Connection, cluster: str, runs: Sequence[ExternalRun]) -> dict[str, list[Any]]:
    """The portal's jobs that have these numbers on the cluster."""
    found: dict[str, list[Any]] = defaultdict(list)
    numbers = sorted({run.scheduler_job_id for run in runs})
    for start in range(0, len(numbers), _CHUNK):
        rows = connection.execute(
            select(col(Job.scheduler_job_id), col(Job.submitted_at), col(Job.ended_at)).where(
                col(Job.scheduler) == cluster,
                ~col(Job.is_external),
                col(Job.scheduler_job_id).in_(numbers[start : start + _CHUNK]),
            )
        )
        for row in rows:
            found[row.scheduler_job_id].append(row)
    return found


def _named_jobs(connection: Connection, cluster: str, runs: Sequence[ExternalRun]) -> dict[UUID, Any]:
    """The portal's jobs that comments name."""
    ids = sorted({run.claims_job for run in runs if run.claims_job})
    found: dict[UUID, Any] = {}
    for start in range(0, len(ids), _CHUNK):
        rows = connection.execute(
            select(col(Job.id), col(Job.phase), col(Job.scheduler_job_id)).where(
                col(Job.scheduler) == cluster, col(Job.id).in_(ids[start : start + _CHUNK])
            )
        )
        found |= {row.id: row for row in rows}
    return found


def _id(cluster: str, run: ExternalRun) -> UUID:
    return external_id(cluster, run.scheduler_job_id, run.submitted_at)


def _shown(connection: Connection, ids: set[UUID]) -> set[UUID]:
    """Those that came from outside before: what is on its way since cannot be one of them."""
    found: set[UUID] = set()
    every = sorted(ids)
    for start in range(0, len(every), _CHUNK):
        found.update(
            connection.execute(
                select(col(Job.id)).where(col(Job.id).in_(every[start : start + _CHUNK]))
            ).scalars()
        )
    return found


def _jobs_in_doubt(connection: Connection, cluster: str) -> set[tuple[UUID, UUID]]:
    """(project, user) of jobs on their way: where the accounting keeps no comments, any run may be one."""
    rows = connection.execute(
        select(col(Job.project_id), col(Job.user_id)).where(
            col(Job.scheduler) == cluster,
            col(Job.phase) == Phase.DISPATCHING,
            col(Job.scheduler_job_id).is_(None),
        )
    )
    return {(row.project_id, row.user_id) for row in rows}


def _projects(connection: Connection, accounts: set[str]) -> dict[str, Any]:
    rows = connection.execute(
        select(col(Project.account), col(Project.id), col(Project.organisation_id), col(Organisation.slug))
        .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
        .where(col(Project.account).in_(sorted(accounts)))
    )
    return {row.account: row for row in rows}


def _users(connection: Connection, cluster: str, names: set[str]) -> dict[str, UUID]:
    rows = connection.execute(
        select(col(ClusterAccount.cluster_user), col(ClusterAccount.user_id)).where(
            col(ClusterAccount.cluster) == cluster, col(ClusterAccount.cluster_user).in_(sorted(names))
        )
    )
    return {row.cluster_user: row.user_id for row in rows}
