"""From a stored job to the Submission that a scheduler is given."""

from sqlalchemy import and_, func, select
from sqlmodel import col

from hpc_portal.app.db import AnyRow
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.origin import ORIGIN
from hpc_portal.app.tables import ClusterAccount, Job, User
from quotas.hold_tables import QuotaHold
from quotas.tables import Organisation, Project
from schedulers.jobspec import JobSpec
from schedulers.protocol import Submission

PRESENT_USER = func.coalesce(
    select(col(ClusterAccount.cluster_user))
    .where(col(ClusterAccount.user_id) == col(Job.user_id), col(ClusterAccount.cluster) == col(Job.scheduler))
    .correlate(Job)
    .scalar_subquery(),
    select(col(User.cluster_user)).where(col(User.id) == col(Job.user_id)).correlate(Job).scalar_subquery(),
)
"""The cluster user that a job would be sent as now: that of its Submission."""
SUBMISSIONS = (
    select(
        col(Job.id),
        col(Job.project_id),
        col(Job.spec),
        col(Job.workspace),
        col(Job.submitted_at),
        col(Job.priority),
        col(Job.cancel_requested_at),
        col(Job.held_by),
        *ORIGIN,
        col(User.username),
        col(Job.cluster_user).label("sent_as"),
        col(User.cluster_user),
        col(User.cluster_number),
        col(ClusterAccount.cluster_user).label("account_user"),
        col(ClusterAccount.uid).label("account_uid"),
        col(Project.account),
        col(Organisation.slug),
        select(col(QuotaHold.allocation_id))
        .where(col(QuotaHold.job_id) == col(Job.id))
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
        .label("allocation_id"),
    )
    .join(User, col(User.id) == col(Job.user_id))
    .join(Project, col(Project.id) == col(Job.project_id))
    .join(Organisation, col(Organisation.id) == col(Job.organisation_id))
    .join(
        ClusterAccount,
        and_(
            col(ClusterAccount.user_id) == col(Job.user_id), col(ClusterAccount.cluster) == col(Job.scheduler)
        ),
        isouter=True,
    )
)
"""What a Submission is made of; add a WHERE."""


def submission_of(row: AnyRow, context: ControllerContext) -> Submission:
    """The Submission in a row of SUBMISSIONS, on the budget that is held for it; see `is_budget_in_force`."""
    numbered = context.cluster_uid_base + row.cluster_number if context.cluster_uid_base else None
    return Submission(
        job_id=row.id,
        spec=_on_its_budget(JobSpec.model_validate(row.spec), row, context),
        cluster_user=row.account_user or row.cluster_user,
        cluster_uid=row.account_uid if row.account_user else numbered,
        organisation=row.slug,
        project=row.account,
        workspace=str(context.workspace_root / row.workspace),
        submitted_at=row.submitted_at,
        priority=row.priority,
        user=row.username,
        is_held=row.held_by is not None,
    )


def is_budget_in_force(row: AnyRow, context: ControllerContext) -> bool:
    """Whether the cluster would let the job use what is held for it; yes where it enforces no budgets."""
    return context.budgets is None or _budget(row, context) is not None


def _on_its_budget(spec: JobSpec, row: AnyRow, context: ControllerContext) -> JobSpec:
    """Whatever QOS it asks for: what is used under the direct one would be missing there for good."""
    qos = _budget(row, context)
    return spec if qos is None else spec.model_copy(update={"qos": qos})


def _budget(row: AnyRow, context: ControllerContext) -> str | None:
    if context.budgets is None or row.allocation_id is None or row.account_user is None:
        return None
    return context.budgets.qos_of(row.account, row.account_user, row.allocation_id)
