"""What a job runs, and what of it somebody had edited by hand."""

from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.schemas import Reply
from hpc_portal.app.jobs.edit_script import Change, compare, generated_script
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.directives.write import script_with_directives

router = APIRouter(tags=["jobs"])


class ScriptLineReply(Reply):
    """A line of both scripts together."""

    change: Change
    text: str
    number: int | None
    """In the script that runs, from 1; null for a line that was removed."""


class JobScriptReply(Reply):
    """What a job runs."""

    script: str | None
    """null: it runs a command, see the job's `spec.argv`."""
    as_file: str
    """What sbatch takes: the script, or one that runs the command, with #SBATCH lines that ask for the same.
    A script that has its own stays as it is."""
    generated: str | None
    """As the template had made it; null where nobody edited it by hand."""
    lines: list[ScriptLineReply]
    """Of both, in order; empty where nobody edited it."""


@router.get("/jobs/{job_id}/script")
def show(services: PortalServices, actor: CurrentActor, job_id: UUID) -> JobScriptReply:
    """The script of a job; where it was edited by hand, also what the template had made, line by line."""
    with services.reading() as session:
        spec = get_job(session, actor, job_id).spec
        generated = generated_script(session.connection(), job_id)
    lines = () if generated is None else compare(generated, spec.script or "")
    return JobScriptReply(
        script=spec.script,
        as_file=script_with_directives(spec),
        generated=generated,
        lines=[ScriptLineReply.model_validate(line) for line in lines],
    )
