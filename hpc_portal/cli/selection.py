"""Which jobs a command is about: those named by their ids, or all that fit some filters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer

from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.language import ngettext
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.render import is_interactive

AT_ONCE = 1000
"""So many jobs go into one request."""
_MOST = 100_000
_UNDER_WAY = ("PENDING", "RUNNING", "SUSPENDED")


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a command line that says which jobs."""

    job_ids: Sequence[str]
    is_all: bool = False
    state: str = ""
    project: str = ""
    user: str = ""
    """Empty: only one's own, unless `is_everyone`."""
    name: str = ""
    is_everyone: bool = False
    is_confirmed: bool = False

    @property
    def has_filters(self) -> bool:
        """Whether anything narrows `is_all`."""
        return bool(self.state or self.project or self.user or self.name or self.is_everyone)


def select_jobs(portal: Portal, wanted: Selection, question: str) -> list[str]:
    """Whole ids of the jobs, each once; asks before it takes all that fit a filter.

    Args:
        portal: where they are.
        wanted: from the command line.
        question: what happens to {count} jobs, as a question.

    Raises:
        UsageProblem: neither ids nor --all, or both; or --all where nobody can answer and no --yes.
        NotFound: an id fits no job.
    """
    if bool(wanted.job_ids) == wanted.is_all:
        raise UsageProblem(_("Name jobs by their ids, or take --all of them, and not both."))
    if not wanted.is_all:
        if wanted.has_filters:
            raise UsageProblem(_("--state, --project, --user, --name and --everyone belong to --all."))
        return list(dict.fromkeys(resolve_job(portal, text) for text in wanted.job_ids))
    found = list(_fitting(portal, wanted))
    if found and not wanted.is_confirmed:
        if not is_interactive():
            raise UsageProblem(_("{count} jobs fit. Say --yes to go on.", count=len(found)))
        typer.confirm(question.format(count=len(found)), abort=True, err=True)
    return found


def batches(job_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as one request takes, and then the rest."""
    for start in range(0, len(job_ids), AT_ONCE):
        yield job_ids[start : start + AT_ONCE]


def say_left_out(count: int) -> str:
    """How many were left alone."""
    return ngettext("{count} job was left as it is.", "{count} jobs were left as they are.", count)


def _fitting(portal: Portal, wanted: Selection) -> Iterator[str]:
    user = wanted.user or (None if wanted.is_everyone else portal.get("/me")["username"])
    filters = {"project": wanted.project or None, "user": user, "name": wanted.name or None}
    states = [wanted.state.upper()] if wanted.state else list(_UNDER_WAY)
    for job in read_pages(portal, "/jobs", most=_MOST, state=states, **filters):
        if not job["ended_at"] and not job["cancel_requested_at"]:
            yield job["id"]
