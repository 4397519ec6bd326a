"""What waits for the people who answer for the city, in one look: how many of each, since when, and where."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from hpc_portal.app import permissions
from hpc_portal.app.accounting.last_checks import CHECK_LATE, last_checked
from hpc_portal.app.actor import Actor
from hpc_portal.app.backup.last import due_since
from hpc_portal.app.budgets.tables import RefundCase, RefundCaseState
from hpc_portal.app.clusters import list_troubles
from hpc_portal.app.jobs.decide_doubt import list_doubtful_jobs
from hpc_portal.app.jobs.late import is_uncharged, is_undispatched
from hpc_portal.app.licenses.poll import load_reports
from hpc_portal.app.notices.tables import Mail, WebhookDelivery
from hpc_portal.app.permissions import Action
from hpc_portal.app.requests.queries import UNDECIDED
from hpc_portal.app.requests.tables import QuotaRequest
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job, JobTask, MirrorDrift, MirrorState, UnclaimedRun
from quotas.tables import Allocation, AllocationState
from quotas.usage_tables import DiscrepancyRow, DiscrepancyState

ENDS_SOON = timedelta(days=14)
_MAIL_LOOKED_BACK = timedelta(days=7)
_LICENSES_OLD = timedelta(minutes=15)
_DISPATCH_LATE = timedelta(minutes=5)
_LATE = timedelta(hours=1)
_DISK_LEFT = 0.1
"""Of the disk; with less the workspaces are nearly full."""


class Matter(StrEnum):
    """What can wait; shown in this order."""

    REQUESTS = "requests"
    """Quota that was asked for and is not decided on."""
    REFUNDS = "refunds"
    """Refunds that were asked for."""
    DOUBTFUL_JOBS = "doubtful_jobs"
    """Of which nobody can say whether their cluster has them."""
    CLUSTERS = "clusters"
    """Parts that do not answer, and controllers of which nothing is heard."""
    MIRROR = "mirror"
    """Clusters whose budgets could not be compared with the portal's."""
    DRIFT = "drift"
    """Differences in a cluster that were made past the portal and not put right."""
    UNCLAIMED = "unclaimed"
    """Runs past the portal that nobody pays for."""
    DISCREPANCIES = "discrepancies"
    """What does not add up in the books."""
    ALLOCATIONS = "allocations"
    """Budgets that end within `ENDS_SOON`."""
    LICENSES = "licenses"
    """Licence servers that do not answer, or were not asked for long."""
    MAILS = "mails"
    """Mails that could not be sent within the last week."""
    UNDISPATCHED = "undispatched"
    """Jobs that no cluster has heard of for minutes."""
    UNCHARGED = "uncharged"
    """Runs that ended an hour ago and are not charged."""
    OUTBOX = "outbox"
    """Mails and webhook deliveries that have been due for an hour."""
    DISK = "disk"
    """The disk of the workspaces, when it is nearly full."""
    BACKUP = "backup"
    """The last backup, when the next one is late; since when there was none."""
    CHECKS = "checks"
    """Nightly checks of the books that were missed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One matter. A count of 0 is good news, and told, too: somebody looked."""

    matter: Matter
    count: int
    since: datetime | None
    """When the oldest began; of budgets, when the first ends; None for nothing."""


@dataclass(frozen=True, slots=True)
class Attention:
    """All of it at one moment."""

    at: datetime
    waiting: Sequence[Waiting]
    clusters_seen_at: datetime | None
    """When the cluster that was silent longest last reported; None: none ever did."""
    licenses_answered_at: datetime | None
    """When the licence server that was silent longest last answered; None: there is none."""

    @property
    def count(self) -> int:
        """How many matters have something waiting."""
        return sum(1 for one in self.waiting if one.count)


def needs_attention(services: Services, session: Session, actor: Actor) -> Attention:
    """Everything that somebody should look at now.

    Raises:
        NotAllowed: only administrators and auditors may.
    """
    permissions.require(actor, Action.AUDIT)
    now = services.clock.now()
    reports = load_reports(session.connection())
    silent = [at for _, at, problem in reports.values() if problem or now - at > _LICENSES_OLD]
    doubtful = _doubtful(session, actor, now)
    troubles = [trouble.since for trouble in list_troubles(services)]
    return Attention(
        at=now,
        waiting=(
            _count(
                session,
                Matter.REQUESTS,
                col(QuotaRequest.submitted_at),
                col(QuotaRequest.state).in_(UNDECIDED),
            ),
            _count(
                session,
                Matter.REFUNDS,
                col(RefundCase.raised_at),
                col(RefundCase.state) == RefundCaseState.OPEN,
            ),
            _listed(Matter.DOUBTFUL_JOBS, doubtful),
            _listed(Matter.CLUSTERS, troubles),
            _count(session, Matter.MIRROR, col(MirrorState.checked_at), col(MirrorState.problem) != ""),
            _count(session, Matter.DRIFT, col(MirrorDrift.since), col(MirrorDrift.corrected_at).is_(None)),
            _count(session, Matter.UNCLAIMED, col(UnclaimedRun.found_at)),
            _count(
                session,
                Matter.DISCREPANCIES,
                col(DiscrepancyRow.found_at),
                col(DiscrepancyRow.state) == DiscrepancyState.OPEN,
            ),
            _count(
                session,
                Matter.ALLOCATIONS,
                col(Allocation.valid_to),
                col(Allocation.valid_to) > now,
                col(Allocation.valid_to) <= now + ENDS_SOON,
                col(Allocation.state) == AllocationState.ACTIVE,
                col(Allocation.parent_id).is_(None),
            ),
            _listed(Matter.LICENSES, silent),
            _count(
                session,
                Matter.MAILS,
                col(Mail.given_up_at),
                col(Mail.given_up_at) > now - _MAIL_LOOKED_BACK,
            ),
            _count(
                session,
                Matter.UNDISPATCHED,
                col(Job.submitted_at),
                is_undispatched(),
                col(Job.submitted_at) < now - _DISPATCH_LATE,
            ),
            _count(
                session,
                Matter.UNCHARGED,
                col(JobTask.ended_at),
                is_uncharged(),
                col(JobTask.ended_at) < now - _LATE,
            ),
            _outbox(session, due_before=now - _LATE, sends_mail=services.settings.smtp is not None),
            Waiting(Matter.DISK, int(_is_nearly_full(services.settings.effective_workspace_root)), None),
            _backup(session, now, late_hours=services.settings.backup_late_hours),
            _listed(
                Matter.CHECKS,
                [at for at in last_checked(session.connection()).values() if now - at > CHECK_LATE],
            ),
        ),
        clusters_seen_at=min((view.as_of for view in services.clusters.get()), default=None),
        licenses_answered_at=min((at for _, at, _ in reports.values()), default=None),
    )


def _doubtful(session: Session, actor: Actor, now: datetime) -> list[datetime]:
    """When each was submitted; auditors, who do not decide on them, are not told."""
    if not permissions.may(actor, Action.ADMINISTER_JOBS):
        return []
    return [job.submitted_at for job in list_doubtful_jobs(session, actor, now=now)]


def _outbox(session: Session, *, due_before: datetime, sends_mail: bool) -> Waiting:
    """Whoever is refused is tried again later and lies ahead: these nobody tried.

    Where the portal sends no mail, mails wait for the day when it does.
    """
    posts = _count(
        session,
        Matter.OUTBOX,
        col(WebhookDelivery.not_before),
        col(WebhookDelivery.delivered_at).is_(None),
        col(WebhookDelivery.given_up_at).is_(None),
        col(WebhookDelivery.not_before) < due_before,
    )
    if not sends_mail:
        return posts
    mails = _count(
        session,
        Matter.OUTBOX,
        col(Mail.not_before),
        col(Mail.sent_at).is_(None),
        col(Mail.given_up_at).is_(None),
        col(Mail.not_before) < due_before,
    )
    since = min((one.since for one in (mails, posts) if one.since), default=None)
    return Waiting(Matter.OUTBOX, mails.count + posts.count, since)


def _backup(session: Session, now: datetime, *, late_hours: int) -> Waiting:
    connection = session.connection()
    due = due_since(connection, late_hours=late_hours)
    if due is None or now < due:
        return Waiting(Matter.BACKUP, 0, None)
    return Waiting(Matter.BACKUP, 1, due - timedelta(hours=late_hours))


def _is_nearly_full(root: Path) -> bool:
    """As this process sees it; a folder that is not there yet is not full."""
    try:
        disk = shutil.disk_usage(root)
    except OSError:
        return False
    return disk.free < _DISK_LEFT * disk.total


def _count(session: Session, matter: Matter, since: Mapped[Any], *where: ColumnElement[bool]) -> Waiting:
    row = session.connection().execute(select(func.count(), func.min(since)).where(*where)).one()
    return Waiting(matter, row[0], row[1] if row[0] else None)


def _listed(matter: Matter, since: Sequence[datetime]) -> Waiting:
    return Waiting(matter, len(since), min(since, default=None))
