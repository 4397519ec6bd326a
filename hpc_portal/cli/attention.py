"""`hpc-portal attention`: what waits for somebody, as the administration's first page tells it."""

import typer
from pydantic import TypeAdapter

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.home.attention import Attention, Matter, needs_attention
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json, table
from schedulers.units import CITY_TIME

_ATTENTION = TypeAdapter(Attention)


def attention(*, as_json: Json = False) -> None:
    """Show what waits for somebody; exit code 1 where something does, for a watchdog."""
    words = {
        Matter.REQUESTS: _("requests for quota to decide"),
        Matter.REFUNDS: _("refunds to decide"),
        Matter.DOUBTFUL_JOBS: _("jobs in doubt"),
        Matter.CLUSTERS: _("clusters that do not answer"),
        Matter.MIRROR: _("clusters that could not be compared"),
        Matter.DRIFT: _("differences on Slurm"),
        Matter.UNCLAIMED: _("runs that nobody pays for"),
        Matter.DISCREPANCIES: _("discrepancies in the books"),
        Matter.ALLOCATIONS: _("budgets that end within 14 days"),
        Matter.LICENSES: _("licence servers that do not answer"),
        Matter.MAILS: _("mails that could not be sent"),
        Matter.UNDISPATCHED: _("jobs that no cluster has heard of"),
        Matter.UNCHARGED: _("runs that ended and are not charged"),
        Matter.OUTBOX: _("mails and webhooks that nobody sends"),
        Matter.DISK: _("disk of the workspaces, nearly full"),
        Matter.BACKUP: _("backup that is late"),
        Matter.CHECKS: _("nightly checks of the books that were missed"),
    }
    with operator_services() as services, services.reading() as session:
        found = needs_attention(services, session, OPERATOR)
    if as_json:
        print_json(_ATTENTION.dump_python(found, mode="json"))
    else:
        rows = [
            (
                one.count,
                words[one.matter],
                f"{one.since.astimezone(CITY_TIME):%Y-%m-%d %H:%M}" if one.since else "",
            )
            for one in found.waiting
        ]
        out.print(table(("", _("What"), _("Since")), rows, right=(0,)))
    raise typer.Exit(Exit.FAILED if found.count else Exit.OK)
