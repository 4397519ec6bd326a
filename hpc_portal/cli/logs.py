"""Read a job's output, also while it is being written, or only the lines that hold something."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from hpc_portal.cli.errors import NotFound, UsageProblem
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import JobId
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.sse import ServerEvent

_LINES_AT_ONCE = 10_000
_MATCHES_AT_ONCE = 1000
_UNSAFE = re.compile(r"\x1b(?!\[[0-9;:]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
"""What could do more to a terminal than colour its text: move, retitle, fill the clipboard."""


def logs(  # noqa: PLR0913 - each an option
    job_id: JobId,
    task: Annotated[int | None, typer.Option("--task", min=0, help="Which task of an array.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", min=1, help="Only the last lines.")] = None,
    search: Annotated[
        str,
        typer.Option(
            "--search", "-S", help="Only lines with this text, numbered; capitals count if it has any."
        ),
    ] = "",
    file: Annotated[str, typer.Option("--file", help="Another file of the job's folder.")] = "",
    *,
    regex: Annotated[bool, typer.Option("--regex", "-E", help="The text is a pattern of RE2.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Only lines that tell of an error.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Standard error, where it is kept apart.")] = False,
) -> None:
    """Print a job's output; with -f go on until it ends, also over a restart of the portal."""
    if (search or errors) and tail:
        raise UsageProblem(_("--tail does not go with --search or --errors: they look at the whole log."))
    with open_portal() as portal:
        stream = "stderr" if stderr else "stdout"
        which = {"task": task, "stream": stream, "path": file or None}
        log = _Log(portal, f"/jobs/{resolve_job(portal, job_id)}/log", which)
        if search or errors:
            wanted = {"search": search or None, "regex": regex or None, "errors": errors or None}
            _print_matches(log, wanted, follow=follow)
            return
        start = 0
        if tail:
            last = log.get(limit=min(tail, _LINES_AT_ONCE))
            print_lines(last["lines"])
            start = last["next_line"]
        if follow:
            for event in log.follow(after=start):
                print_lines(json.loads(event.data)["lines"])
        elif not tail:
            _print_all(log)


def print_lines(lines: Iterable[str]) -> None:
    """Lines as the job wrote them, at once; on a terminal their escapes can do no more than colour."""
    if sys.stdout.isatty():
        lines = (_UNSAFE.sub("\N{REPLACEMENT CHARACTER}", line) for line in lines)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class _Log:
    """A log at a portal."""

    portal: Portal
    path: str
    which: dict[str, Any]

    def get(self, part: str = "", **parameters: Any) -> Any:  # noqa: ANN401 - JSON
        return self.portal.get(self.path + part, **self.which, **parameters)

    def follow(self, **parameters: Any) -> Iterator[ServerEvent]:  # noqa: ANN401 - query values
        """Lines until the end; a stream that breaks is resumed at the very next line.

        Raises:
            NotFound: the job may not be seen any longer.
        """
        for event in self.portal.events(f"{self.path}/stream", **self.which, **parameters):
            if event.kind in {"lines", "matches"}:
                yield event
            elif event.kind == "restart":
                sys.stderr.write(_("The job has started this file anew.") + "\n")
            elif event.kind == "end":
                if json.loads(event.data)["reason"] != "task ended":
                    raise NotFound(_("You may not see this job any longer."))
                return


def _print_all(log: _Log) -> None:
    next_line = 0
    while True:
        part = log.get(from_line=next_line, limit=_LINES_AT_ONCE)
        print_lines(part["lines"])
        if part["is_at_end"] or part["next_line"] == next_line:
            return
        next_line = part["next_line"]


def _print_matches(log: _Log, wanted: dict[str, Any], *, follow: bool) -> None:
    """What is there is searched in large steps; what comes after it, as it is written."""
    next_line, last = 0, -1
    while True:
        found = log.get("/search", **wanted, from_line=next_line, limit=_MATCHES_AT_ONCE)
        matches = [(match["line"], match["text"]) for match in found["matches"]]
        print_lines(f"{line + 1}:{text}" for line, text in matches)
        last = matches[-1][0] if matches else last
        next_line = found["next_line"]
        if found["is_over"]:
            break
    if not follow:
        return
    for event in log.follow(after=next_line, **wanted):
        fresh = [(line, text) for line, text in json.loads(event.data)["lines"] if line > last]
        print_lines(f"{line + 1}:{text}" for line, text in fresh)
