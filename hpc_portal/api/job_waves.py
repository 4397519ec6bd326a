"""Waveforms that a job wrote: what is in them, and windows of time cut for whoever draws them."""

from uuid import UUID

from fastapi import APIRouter

from hpc_portal.api.job_files import FilePath
from hpc_portal.api.job_waves_schemas import WaveEntryReply, WaveHeaderReply, WaveWindowReply
from hpc_portal.api.schemas import PageReply
from hpc_portal.api.wave_replies import (
    EntriesQuery,
    SignalsQuery,
    entries_reply,
    header_reply,
    window_reply,
)
from hpc_portal.app.actor import Actor
from hpc_portal.app.files.waves import WaveSource
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(prefix="/jobs/{job_id}/waves", tags=["files of jobs"])


@router.get("")
def waves(services: PortalServices, actor: CurrentActor, job_id: UUID, path: FilePath) -> WaveHeaderReply:
    """What a waveform says of itself: its format, unit of time, end and size."""
    return header_reply(_source(services, actor, job_id, path))


@router.get("/signals")
def wave_signals(
    services: PortalServices, actor: CurrentActor, job_id: UUID, wanted: EntriesQuery
) -> PageReply[WaveEntryReply]:
    """The scopes and signals inside of a scope, or with `search` all signals whose names have its words."""
    return entries_reply(_source(services, actor, job_id, wanted.path), wanted)


@router.get("/window")
def wave_window(
    services: PortalServices, actor: CurrentActor, job_id: UUID, wanted: SignalsQuery
) -> WaveWindowReply:
    """What signals do from `t0` to `t1`, cut for so many pixels across; their values at the cursor `at`.

    Times are in the file's ticks. A signal is named in full, after `dec:`, `sgn:` or `bin:` where its values
    are not wanted in hex.
    """
    return window_reply(_source(services, actor, job_id, wanted.path), wanted)


def _source(services: Services, actor: Actor, job_id: UUID, path: str) -> WaveSource:
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    return WaveSource(services.settings.effective_workspace_root, job.workspace, path, job.project)
