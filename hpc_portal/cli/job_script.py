"""What a job runs, and what of its template's script was edited by hand."""

import sys
from typing import Annotated

import typer
from rich.text import Text

from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId, Json
from hpc_portal.cli.render import err, out, print_json

_MARKS = {"same": (" ", ""), "removed": ("-", "red"), "added": ("+", "green")}


def script(
    job_id: JobId,
    *,
    changes: Annotated[
        bool, typer.Option("--changes", help="Mark the lines that were edited by hand, + and -.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the script that a job runs."""
    with open_portal() as portal:
        found = portal.get(f"/jobs/{resolve_job(portal, job_id)}/script")
    if as_json:
        print_json(found)
    elif not changes:
        sys.stdout.write(found["script"] or "")
    elif found["generated"] is None:
        err.print(_("Nobody edited it by hand."))
    else:
        for line in found["lines"]:
            mark, style = _MARKS[line["change"]]
            out.print(Text(f"{mark} {line['text']}", style=style))
