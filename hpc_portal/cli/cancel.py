"""Cancel jobs."""

from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.language import ngettext
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobIds, Json
from hpc_portal.cli.render import err, print_json


def cancel(job_ids: JobIds, *, as_json: Json = False) -> None:
    """Ask for jobs to be cancelled: all of them or, when one may not be, none."""
    with open_portal() as portal:
        wanted = [resolve_job(portal, text) for text in job_ids]
        cancelled = portal.post("/jobs/cancel", {"job_ids": wanted})["cancelled"]
    if as_json:
        print_json({"cancelled": cancelled})
        return
    err.print(
        ngettext("{count} job is being cancelled.", "{count} jobs are being cancelled.", len(cancelled))
    )
    if len(cancelled) < len(set(wanted)):
        err.print(_("The others had ended, or were being cancelled already."))
