"""Who has which licences, as far as the reader may know: of other organisations there are only numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select
from sqlmodel import col

from hpc_portal.app import cluster_views, permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.under_way import under_way
from hpc_portal.app.licenses.poll import load_reports
from hpc_portal.app.licenses.supply import hosts_of, is_inside, kept_for_projects
from hpc_portal.app.tables import Job, User
from quotas.tables import Project
from schedulers.cluster import ClusterSnapshot
from schedulers.flexnet.lmstat import Checkout, Feature, LicenseReport
from schedulers.jobspec import JobSpec


@dataclass(frozen=True, slots=True)
class LicenseHolder:
    """What one job, or one account without a job that asked for it, has of one feature."""

    user: str
    """The person; where no job asked, the account on the cluster."""
    project: str
    """ "" where no running job asked for it: used and not asked for."""
    job_id: UUID | None
    hosts: tuple[str, ...]
    """Where tools have taken it; () while the job only holds it."""
    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """One licence feature."""

    name: str
    total: int
    in_use: int
    """As the server counts; without a server, what running jobs hold."""
    outside: int = 0
    """Of these, by people and machines that are not the clusters'."""
    held: int = 0
    """By running jobs, whether or not their tools have taken them yet."""
    others: int = 0
    """Of these, by jobs that the reader may not see."""
    queued: int = 0
    """Waited for inside tools, which hold their nodes meanwhile."""
    kept: Mapping[str, int] = field(default_factory=dict)
    """By project: so many only its jobs may hold; of projects that the reader may see."""
    kept_for_others: int = 0
    holders: tuple[LicenseHolder, ...] = ()
    server: str = ""
    """ "" for a feature that no server counts."""
    as_of: datetime | None = None
    problem: str = ""
    """Why the server has not answered since."""
    expires: str = ""

    @property
    def taken(self) -> int:
        """In use, or held by jobs whose tools have not taken them yet."""
        return max(self.in_use, self.outside + self.held)


@dataclass(frozen=True, slots=True)
class _RunningJob:
    job_id: UUID
    user: str
    project: str
    cluster_user: str | None
    is_visible: bool
    started_at: datetime | None
    licenses: Mapping[str, int]
    """Of all its running tasks."""


def license_use(connection: Connection, actor: Actor) -> list[FeatureUse]:
    """Every feature of servers and clusters, by name."""
    jobs, snapshots = list(_running_jobs(connection, actor)), cluster_views.load(connection)
    reports = load_reports(connection)
    found = known_features(snapshots, reports)
    sees_all = permissions.sees_all(actor)
    checkouts = _inside_checkouts([report for report, _, _ in reports.values()], hosts_of(snapshots))
    kept = kept_for_projects(connection)
    visible = set(
        connection.execute(select(col(Project.account)).where(permissions.visible_projects(actor))).scalars()
    )
    return [
        _with_holders(
            _with_kept(use, kept.get(name, {}), visible),
            [job for job in jobs if name in job.licenses],
            checkouts.get(name, ()),
            names_everybody=sees_all,
        )
        for name, use in sorted(found.items())
    ]


def known_features(
    snapshots: Sequence[ClusterSnapshot], reports: Mapping[str, tuple[LicenseReport, datetime, str]]
) -> dict[str, FeatureUse]:
    """Every feature by name, without what jobs hold of it and for whom some is kept. Pure.

    Args:
        snapshots: of every cluster.
        reports: of every server, as `load_reports` gives them.
    """
    hosts = hosts_of(snapshots)
    found = {use.name: use for use in _of_clusters(snapshots)}
    for address, (report, as_of, problem) in reports.items():
        for feature in report.features:
            if feature.is_counted:
                use = _of_server(feature, hosts)
                found[feature.name] = replace(
                    use, server=address, as_of=as_of, problem=problem or feature.problem
                )
    return found


def free_of(use: FeatureUse) -> int:
    """What the next job may get, but for what is kept for projects."""
    return max(0, use.total - use.taken)


def holds_licenses() -> tuple[ColumnElement[bool], ...]:
    """A WHERE clause: jobs that run now and asked for licences."""
    return (
        under_way(),
        col(Job.phase) == Phase.TRACKED,
        col(Job.tasks_running) > 0,
        col(Job.spec)[("resources", "licenses")].as_string().is_not(None),
    )


def _of_clusters(snapshots: Sequence[ClusterSnapshot]) -> Iterator[FeatureUse]:
    for snapshot in snapshots:
        for counted in snapshot.licenses:
            yield FeatureUse(
                counted.feature, counted.total, counted.used, counted.outside, as_of=snapshot.as_of
            )


def _of_server(feature: Feature, hosts: frozenset[str]) -> FeatureUse:
    outside = sum(one.count for one in feature.checkouts if not is_inside(one, hosts))
    return FeatureUse(
        feature.name,
        feature.issued,
        feature.in_use,
        outside,
        queued=sum(one.count for one in feature.queued),
        expires=feature.expires,
    )


def _with_kept(use: FeatureUse, kept: Mapping[str, int], visible: set[str]) -> FeatureUse:
    shown = {project: count for project, count in kept.items() if project in visible}
    return replace(use, kept=shown, kept_for_others=sum(kept.values()) - sum(shown.values()))


def _with_holders(
    use: FeatureUse,
    jobs: Sequence[_RunningJob],
    checkouts: Sequence[Checkout],
    *,
    names_everybody: bool,
) -> FeatureUse:
    by_account: dict[str, list[Checkout]] = {}
    for one in checkouts:
        by_account.setdefault(one.user, []).append(one)
    holders = [
        LicenseHolder(
            user=job.user,
            project=job.project,
            job_id=job.job_id,
            hosts=tuple(dict.fromkeys(one.host for one in by_account.get(job.cluster_user or "", ()))),
            count=job.licenses[use.name],
            since=job.started_at,
        )
        for job in jobs
        if job.is_visible
    ]
    askers = {job.cluster_user for job in jobs}
    if names_everybody:
        holders += [
            LicenseHolder(
                user=account,
                project="",
                job_id=None,
                hosts=tuple(dict.fromkeys(one.host for one in taken)),
                count=sum(one.count for one in taken),
                since=min((one.started_at for one in taken if one.started_at), default=None),
            )
            for account, taken in sorted(by_account.items())
            if account not in askers
        ]
    held = sum(job.licenses[use.name] for job in jobs)
    return replace(
        use,
        held=held,
        others=held - sum(job.licenses[use.name] for job in jobs if job.is_visible),
        holders=tuple(holders),
    )


def _inside_checkouts(reports: Sequence[LicenseReport], hosts: frozenset[str]) -> dict[str, list[Checkout]]:
    """By feature: what tools on the clusters' nodes have."""
    return {
        feature.name: [one for one in feature.checkouts if is_inside(one, hosts)]
        for report in reports
        for feature in report.features
    }


def _running_jobs(connection: Connection, actor: Actor) -> Iterator[_RunningJob]:
    rows = connection.execute(
        select(
            col(Job.id),
            col(User.username),
            col(Project.account),
            col(Job.cluster_user),
            col(Job.spec),
            col(Job.tasks_running),
            col(Job.started_at),
            permissions.visible_jobs(actor).label("is_visible"),
        )
        .join(User, col(User.id) == col(Job.user_id))
        .join(Project, col(Project.id) == col(Job.project_id))
        .where(*holds_licenses())
        .order_by(col(Job.id))
    )
    for row in rows:
        spec = JobSpec.model_validate(row.spec)
        yield _RunningJob(
            row.id,
            row.username,
            row.account,
            row.cluster_user,
            bool(row.is_visible),
            row.started_at,
            {name: count * row.tasks_running for name, count in spec.resources.licenses.items()},
        )
