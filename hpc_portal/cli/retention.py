"""What is not kept for ever: show what would go, or let it go now."""

from dataclasses import asdict
from typing import Annotated

import typer

from hpc_portal.app.retention.look import JOB_FILES, let_go, what_is_over
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table


def retention(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Let go of what HPC_PORTAL_RETENTION keeps no longer, as the controller does once an hour.

    Never of the ledger, the audit log, a job's own record, or files of a job whose refund is not decided.
    """
    with operator_services() as services:
        settings = services.settings
        deed = what_is_over if dry_run else let_go
        found = deed(
            services.engine,
            settings.effective_workspace_root,
            settings.retention,
            at=services.clock.now(),
        )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    out.print(table((_("What"), _("How many")), [(one.kind, one.count) for one in found], right=(1,)))
    if dry_run:
        err.print(_("Nothing was deleted."))
    if settings.retention.job_files_days is None:
        err.print(_("Files of jobs ({kind}) are kept for ever: job_files_days is not set.", kind=JOB_FILES))
