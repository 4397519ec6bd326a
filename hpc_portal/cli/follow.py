"""Watch a job until it has ended and is paid for."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from hpc_portal.cli.errors import CliError
from hpc_portal.cli.jobs import facts_of
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import err, short_id

Job = Mapping[str, Any]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_CLOSED_PHASES = frozenset({"settled", "refused"})


def follow_job(portal: Portal, job_id: str) -> Job:
    """Show progress on stderr until the job is closed; on no terminal, one line for each change."""
    if not err.is_terminal:
        return watch_job(portal, job_id, _LinePrinter())
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    ) as progress:
        bar = progress.add_task(short_id(job_id), total=None)
        return watch_job(
            portal,
            job_id,
            lambda job: progress.update(
                bar,
                description=f"{short_id(job_id)} {job['name']} {job['state']}",
                total=job["tasks_total"],
                completed=tasks_ended(job),
            ),
        )


def watch_job(portal: Portal, job_id: str, tell: Callable[[Job], None]) -> Job:
    """Ask again and again, less often as time goes by, until the job is closed."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        job: Job = portal.get(f"/jobs/{job_id}")
        tell(job)
        if is_closed(job):
            return job
        time.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_PAUSE_SECONDS)


def is_closed(job: Job) -> bool:
    """Whether nothing about the job will change any more, its cost included."""
    return job["phase"] in _CLOSED_PHASES


def tasks_ended(job: Job) -> int:
    """Tasks that will not run again."""
    return int(job["tasks_completed"] + job["tasks_failed"] + job["tasks_cancelled"])


def require_success(job: Job) -> None:
    """Let a completed job pass.

    Raises:
        CliError: it ended otherwise; the shell then sees exit code 1.
    """
    if job["state"] != "COMPLETED":
        reason = f" ({job['state_reason']})" if job["state_reason"] else ""
        err.print(facts_of(job))
        raise CliError(
            _(
                "Job {job} ended as {state}{reason}. See: hpc logs {job}",
                job=short_id(job["id"]),
                state=job["state"],
                reason=reason,
            )
        )


class _LinePrinter:
    """One line for each change of state or progress."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, job: Job) -> None:
        now = (str(job["state"]), tasks_ended(job))
        if now != self._last:
            err.print(f"{short_id(job['id'])} {job['name']} {job['state']} {now[1]}/{job['tasks_total']}")
        self._last = now
