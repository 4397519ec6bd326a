"""What waits for those who run the city, as lines of their start page: a name, a count, where to go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hpc_portal.app.home.city_duties import CityDuties
from hpc_portal.web.language import Language
from schedulers.cluster import ClusterSnapshot, NodeState
from workloads.template import N_

_NODES_NAMED = 4


@dataclass(frozen=True, slots=True)
class Duty:
    """One line; a count of 0 is shown, too: nothing waits there."""

    text: str
    icon: str
    """An id of the vendored sprite."""
    href: str
    count: int
    since: datetime | None = None
    """How long the oldest has waited."""
    detail: str = ""


def show_duties(
    duties: CityDuties, clusters: Sequence[ClusterSnapshot], language: Language
) -> tuple[Duty, ...]:
    """In the order in which people wait for them."""
    out = [node for cluster in clusters for node in cluster.nodes if node.state is not NodeState.UP]
    named = [f"{node.name} ({node.reason})" if node.reason else node.name for node in out[:_NODES_NAMED]]
    return (
        Duty(
            language.gettext(N_("Requests to decide")),
            "inbox",
            "/requests/inbox",
            duties.requests,
            since=duties.oldest_request_at,
        ),
        Duty(language.gettext(N_("Refunds to decide")), "receipt-refund", "/refunds", duties.refunds),
        Duty(
            language.gettext(N_("Discrepancies in the books")), "scale", "/admin/books", duties.discrepancies
        ),
        Duty(
            language.gettext(N_("Nodes that take no jobs")),
            "server-off",
            "/clusters",
            len(out),
            detail=", ".join(named) + (" …" if len(out) > len(named) else ""),
        ),
    )
