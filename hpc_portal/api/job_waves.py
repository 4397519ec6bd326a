"""Waveforms that a job wrote: what is in them, and windows of time cut for whoever draws them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from hpc_portal.api.job_files import FilePath
from hpc_portal.api.job_waves_schemas import WaveEntryReply, WaveHeaderReply, WaveWindowReply
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.actor import Actor
from hpc_portal.app.files import wave_bounds as bounds
from hpc_portal.app.files.waves import (
    WantedWindow,
    WaveSource,
    list_entries,
    read_header,
    read_window,
    wanted_signal,
)
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.services import Services
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(prefix="/jobs/{job_id}/waves", tags=["files of jobs"])

Time = Annotated[int | None, Query(ge=0, le=bounds.MOST_TIME)]
Name = Annotated[str, Query(max_length=4096)]


@router.get("")
def waves(services: PortalServices, actor: CurrentActor, job_id: UUID, path: FilePath) -> WaveHeaderReply:
    """What a waveform says of itself: its format, unit of time, end and size."""
    return WaveHeaderReply.model_validate(read_header(_source(services, actor, job_id, path)))


@router.get("/signals")
def wave_signals(  # noqa: PLR0913 - which part of the list
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    path: FilePath,
    scope: Name = "",
    search: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=bounds.MOST_LISTED)] = 200,
) -> PageReply[WaveEntryReply]:
    """The scopes and signals inside of a scope, or with `search` all signals whose names have its words."""
    source = _source(services, actor, job_id, path)
    found = list_entries(source, scope=scope, search=search, after=cursor, limit=limit)
    return PageReply(
        items=[WaveEntryReply.model_validate(one) for one in found.items],
        next_cursor=None if found.next is None else str(found.next),
    )


@router.get("/window")
def wave_window(  # noqa: PLR0913 - which signals, and which part of the time
    *,
    services: PortalServices,
    actor: CurrentActor,
    job_id: UUID,
    path: FilePath,
    signals: Annotated[list[Name], Query(max_length=bounds.MOST_SIGNALS)],
    t0: Time = 0,
    t1: Time = None,
    at: Time = None,
    px: Annotated[int, Query(ge=1, le=bounds.MOST_COLUMNS)] = 1000,
) -> WaveWindowReply:
    """What signals do from `t0` to `t1`, cut for so many pixels across; their values at the cursor `at`.

    Times are in the file's ticks. A signal is named in full, after `dec:`, `sgn:` or `bin:` where its values
    are not wanted in hex.
    """
    wanted = WantedWindow(begin=t0 or 0, end=t1, columns=px, at=at)
    source = _source(services, actor, job_id, path)
    return WaveWindowReply.model_validate(
        read_window(source, [wanted_signal(one) for one in signals], wanted)
    )


def _source(services: Services, actor: Actor, job_id: UUID, path: str) -> WaveSource:
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    return WaveSource(services.settings.effective_workspace_root, job.workspace, path, job.project)
