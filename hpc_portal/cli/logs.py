"""Read a job's output, also while it is being written."""

import json
import sys
from typing import Annotated

import typer

from hpc_portal.cli.errors import NotFound
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId
from hpc_portal.cli.portal import Portal

_LINES_AT_ONCE = 10_000


def logs(
    job_id: JobId,
    task: Annotated[int | None, typer.Option("--task", min=0, help="Which task of an array.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", min=1, help="Only the last lines.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Standard error, where it is kept apart.")] = False,
) -> None:
    """Print a job's output; with -f go on until it ends, also over a restart of the portal."""
    stream = "stderr" if stderr else "stdout"
    with open_portal() as portal:
        path = f"/jobs/{resolve_job(portal, job_id)}/log"
        start = 0
        if tail:
            last = portal.get(path, task=task, stream=stream, limit=min(tail, _LINES_AT_ONCE))
            print_lines(last["lines"])
            start = last["next_line"]
        if follow:
            _follow(portal, path, task=task, stream=stream, start=start)
        elif not tail:
            _print_all(portal, path, task=task, stream=stream)


def print_lines(lines: list[str]) -> None:
    """Lines as the job wrote them, at once."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _print_all(portal: Portal, path: str, *, task: int | None, stream: str) -> None:
    next_line = 0
    while True:
        part = portal.get(path, task=task, stream=stream, from_line=next_line, limit=_LINES_AT_ONCE)
        print_lines(part["lines"])
        if part["is_at_end"] or part["next_line"] == next_line:
            return
        next_line = part["next_line"]


def _follow(portal: Portal, path: str, *, task: int | None, stream: str, start: int) -> None:
    """Print until the end; a stream that breaks is resumed at the very next line.

    Raises:
        NotFound: the job may not be seen any longer.
    """
    for event in portal.events(f"{path}/stream", task=task, stream=stream, after=start):
        facts = json.loads(event.data)
        if event.kind == "lines":
            print_lines(facts["lines"])
        elif event.kind == "end":
            if facts["reason"] != "task ended":
                raise NotFound(_("You may not see this job any longer."))
            return
