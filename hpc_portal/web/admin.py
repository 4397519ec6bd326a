"""The administration's first page: what needs somebody now, and the way to everything else."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.home.attention import Matter, Waiting, needs_attention
from hpc_portal.app.permissions import Action
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.navigation import ENTRIES, Group, is_open_to
from hpc_portal.web.render import pages_of
from workloads.template import N_

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Words:
    """How a matter is called, what it means, and where it is dealt with."""

    icon: str
    title: str
    hint: str
    href: str
    tone: str = "wait"


MATTERS = {
    Matter.REQUESTS: _Words("inbox", N_("Requests for quota"), N_("wait for a decision"), "/requests/inbox"),
    Matter.REFUNDS: _Words("receipt-refund", N_("Refunds"), N_("were asked for"), "/refunds"),
    Matter.DOUBTFUL_JOBS: _Words(
        "help-circle",
        N_("Jobs in doubt"),
        N_("nobody can say whether their cluster has them"),
        "/jobs?state=PENDING",
        "bad",
    ),
    Matter.CLUSTERS: _Words(
        "server-off", N_("Clusters and controllers"), N_("do not answer"), "/clusters", "bad"
    ),
    Matter.MIRROR: _Words(
        "refresh", N_("Comparison with Slurm"), N_("failed the last time"), "/admin/drift", "bad"
    ),
    Matter.DRIFT: _Words(
        "arrows-exchange", N_("Drift against Slurm"), N_("differences made past the portal"), "/admin/drift"
    ),
    Matter.UNCLAIMED: _Words(
        "user-plus", N_("Runs that nobody pays for"), N_("submitted past the portal"), "/admin/drift"
    ),
    Matter.DISCREPANCIES: _Words(
        "scale", N_("Discrepancies"), N_("in the books wait for a decision"), "/admin/books"
    ),
    Matter.ALLOCATIONS: _Words("calendar", N_("Budgets"), N_("end within 14 days"), "/allocations"),
    Matter.LICENSES: _Words(
        "key",
        N_("Licence servers"),
        N_("do not answer, or were not asked for 15 minutes"),
        "/licenses",
        "bad",
    ),
    Matter.MAILS: _Words("mail", N_("Mails"), N_("could not be sent this week"), "/admin/audit", "bad"),
    Matter.UNDISPATCHED: _Words(
        "hourglass",
        N_("Jobs that no cluster has heard of"),
        N_("for more than 5 minutes; is a controller active?"),
        "/clusters",
        "bad",
    ),
    Matter.UNCHARGED: _Words(
        "coin",
        N_("Runs that are not charged"),
        N_("ended more than an hour ago; does slurmdbd tell of them?"),
        "/admin/books",
        "bad",
    ),
    Matter.OUTBOX: _Words(
        "bell",
        N_("Mails and webhooks"),
        N_("have been due for an hour; is a controller active?"),
        "/clusters",
        "bad",
    ),
    Matter.DISK: _Words(
        "folder",
        N_("The workspaces' disk"),
        N_("has less than 10 % left; jobs will fail that write"),
        "/admin/projects",
        "bad",
    ),
    Matter.BACKUP: _Words(
        "download",
        N_("The backup"),
        N_("is late: does hpc-portal backup run each night?"),
        "/admin/audit",
        "bad",
    ),
    Matter.CHECKS: _Words(
        "scale",
        N_("Nightly checks of the books"),
        N_("were missed; is a controller active?"),
        "/admin/books",
        "bad",
    ),
}


@dataclass(frozen=True, slots=True)
class ShownMatter:
    """One tile."""

    words: _Words
    count: int
    since: datetime | None
    is_ahead: bool
    """The time lies ahead: when the first ends, not since when the oldest waits."""


@router.get("/admin")
def show(request: Request, actor: CurrentActor, services: PortalServices) -> Response:
    """What waits, the rest in one line, and every page of the administration."""
    with services.reading() as session:
        found = needs_attention(services, session, actor)
    shown = [_shown(one) for one in found.waiting]
    facts = {
        "waiting": [one for one in shown if one.count],
        "quiet": [one for one in shown if not one.count],
        "found": found,
        "may_create": permissions.may(actor, Action.GRANT),
        "entries": [
            entry
            for entry in ENTRIES
            if entry.group is Group.ADMINISTRATION and entry.href != "/admin" and is_open_to(entry, actor)
        ],
    }
    return pages_of(request).render(request, "admin/overview.html", facts)


def _shown(one: Waiting) -> ShownMatter:
    return ShownMatter(MATTERS[one.matter], one.count, one.since, one.matter is Matter.ALLOCATIONS)
