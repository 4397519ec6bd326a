"""Which job a person means: a whole id, or the end of one that they can see in a list."""

from uuid import UUID

from hpc_portal.cli.errors import NotFound, UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.portal import Portal

_SHORTEST = 4
_SEARCHED_JOBS = 1000
"""An end is looked for among so many of the newest jobs."""


def resolve_job(portal: Portal, text: str) -> str:
    """The complete id.

    Raises:
        NotFound: no visible job's id ends so.
        UsageProblem: several do, or the text is too short or no id at all.
    """
    wanted = text.lower()
    try:
        return str(UUID(wanted))
    except ValueError:
        pass
    if len(wanted) < _SHORTEST or not set(wanted) <= set("0123456789abcdef-"):
        raise UsageProblem(
            _(
                "{text} is no job id. Give the whole id, or its last {count} characters or more.",
                text=text,
                count=_SHORTEST,
            )
        )
    found = [
        job["id"] for job in read_pages(portal, "/jobs", most=_SEARCHED_JOBS) if job["id"].endswith(wanted)
    ]
    match found:
        case [job_id]:
            return str(job_id)
        case []:
            raise NotFound(
                _(
                    "There is no job ending in {text} among your newest {count}.",
                    text=text,
                    count=_SEARCHED_JOBS,
                )
            )
        case _:
            raise UsageProblem(
                _("{text} fits several jobs: {jobs}. Give more of it.", text=text, jobs=", ".join(found[:5]))
            )
