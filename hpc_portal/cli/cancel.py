"""Cancel jobs, or single tasks of an array."""

from typing import Annotated

import typer

from hpc_portal.cli import options
from hpc_portal.cli.change import ask_change, say_outcome
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.language import ngettext
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json, SomeJobIds
from hpc_portal.cli.render import err, print_json
from hpc_portal.cli.selection import Selection, batches, select_jobs


def cancel(  # noqa: PLR0913 - one argument for each option
    job_ids: SomeJobIds = None,
    tasks: Annotated[
        str, typer.Option("--tasks", help="Only these tasks of an array, such as 3-7,12; the others go on.")
    ] = "",
    *,
    all_: options.All = False,
    state: options.State = "",
    project: options.OfProject = "",
    user: options.OfUser = "",
    name: options.Named = "",
    everyone: options.Everyone = False,
    yes: options.Yes = False,
    as_json: Json = False,
) -> None:
    """Ask for jobs to be cancelled: all of them or, when one may not be, none."""
    wanted = Selection(job_ids or (), all_, state, project, user, name, everyone, yes)
    if tasks and (all_ or len(wanted.job_ids) != 1):
        raise UsageProblem(_("--tasks needs exactly one job."))
    with open_portal() as portal:
        chosen = select_jobs(portal, wanted, _("Cancel {count} jobs?"))
        if tasks:
            say_outcome(
                ask_change(portal, chosen, {"change": "cancel_tasks", "tasks": tasks}), as_json=as_json
            )
            return
        cancelled = [
            job_id
            for batch in batches(chosen)
            for job_id in portal.post("/jobs/cancel", {"job_ids": batch})["cancelled"]
        ]
    if as_json:
        print_json({"cancelled": cancelled})
        return
    err.print(
        ngettext("{count} job is being cancelled.", "{count} jobs are being cancelled.", len(cancelled))
    )
    if len(cancelled) < len(chosen):
        err.print(_("The others had ended, or were being cancelled already."))
