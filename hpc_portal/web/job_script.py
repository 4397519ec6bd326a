"""What a job runs: its script with the directives that ask for the same, to read, to copy and to download."""

import json
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from hpc_portal.app.jobs.edit_script import compare, generated_script
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import show_tab
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_parameters import show_parameters
from schedulers.directives.write import script_with_directives

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/script")
def show(request: Request, actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """The parameters, the script, what of it was edited by hand, and the whole specification."""
    language = pages_of(request).language(request)
    with services.reading() as session:
        job = get_job(session, actor, job_id)
        parameters = show_parameters(session, job, language)
        generated = generated_script(session.connection(), job_id)
    spec = job.spec.model_dump(mode="json", exclude_defaults=True, exclude={"script"})
    for item in spec.get("inputs", ()):
        item["content"] = f"… {len(item['content'])} …"
    facts = {
        "script": script_with_directives(job.spec),
        "edits": () if generated is None else compare(generated, job.spec.script or ""),
        "spec_json": json.dumps(spec, indent=2, ensure_ascii=False),
        "parameters": parameters,
    }
    return show_tab(request, job, "script", facts)


@router.get("/jobs/{job_id}/script/file")
def download(actor: CurrentActor, services: PortalServices, job_id: UUID) -> Response:
    """The script as a file that sbatch takes."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(f'{job.name}.sh')}"}
    return Response(script_with_directives(job.spec), media_type="text/plain; charset=utf-8", headers=headers)
