"""Every endpoint under /api/v1."""

from fastapi import APIRouter

from hpc_portal.api import (
    administration,
    catalogue,
    job_changes,
    job_files,
    jobs,
    mirror,
    projects,
    scripts,
    sign_in,
    streams,
)

router = APIRouter(prefix="/api/v1")
for module in (
    *(sign_in, jobs, job_changes, job_files, scripts, streams, projects),
    *(administration, catalogue, mirror),
):
    router.include_router(module.router)
