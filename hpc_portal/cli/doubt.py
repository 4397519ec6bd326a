"""`hpc-portal doubt`: jobs of which nobody can say whether their cluster has them."""

from typing import Annotated
from uuid import UUID

import typer
from pydantic import TypeAdapter

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.jobs.decide_doubt import Decision, DoubtfulJob, decide_doubt, list_doubtful_jobs
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from schedulers.reasons import explain

doubt = typer.Typer(no_args_is_help=True, help="Jobs of which nobody can say whether their cluster has them.")

_JOBS = TypeAdapter(list[DoubtfulJob])


@doubt.command("list")
def list_jobs(*, as_json: Json = False) -> None:
    """What waits for somebody to look at its cluster."""
    with operator_services() as services, services.reading() as session:
        found = list_doubtful_jobs(session, OPERATOR, now=services.clock.now())
    if as_json:
        print_json(_JOBS.dump_python(found, mode="json"))
        return
    rows = [
        (
            str(job.id),
            job.name,
            job.project,
            f"{job.user} ({job.cluster_user}@{job.cluster})",
            explain(job.reason, active()).text,
        )
        for job in found
    ]
    out.print(table((_("Job"), _("Name"), _("Project"), _("Sent as"), _("Why")), rows))


@doubt.command("decide")
def decide(
    job_id: UUID,
    decision: Annotated[Decision, typer.Argument(help="What you found at the cluster.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept for good.")] = "",
) -> None:
    """Send a job again, because its cluster does not have it, or end it.

    Look first: `squeue --all --states=all -o '%i %u %k'` shows the comment that holds the job's id.
    """
    with operator_services() as services:
        decide_doubt(services, OPERATOR, job_id, decision, reason=reason)
    err.print(_("Done."))
