"""A waveform of a job as a page: drawn by the page's script, and as a table of values beside the picture."""

from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from hpc_portal.app.errors import WaveformsBusy, WaveformUnreadable
from hpc_portal.app.files import wave_bounds as bounds
from hpc_portal.app.files.wave_values import Radix
from hpc_portal.app.files.waves import (
    WantedWindow,
    WaveEntries,
    WaveHeader,
    WaveSource,
    WaveWindow,
    address_of,
    list_entries,
    read_header,
    read_window,
    wanted_signal,
)
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.auth.deps import CurrentActor, PortalServices
from hpc_portal.web.job import show_tab
from hpc_portal.web.problems import problems_of, status_of
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_waves import WavesAddress, show_entries, show_signals, time_text

router = APIRouter(include_in_schema=False)

_SAMPLES = 6
_FIRST_SIGNALS = 8
_DEEPEST = 16
Time = Annotated[int | None, Query(ge=0, le=bounds.MOST_TIME)]
Name = Annotated[str, Query(max_length=4096)]


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of the file."""

    header: WaveHeader
    entries: WaveEntries
    window: WaveWindow


@router.get("/jobs/{job_id}/waves")
def show(  # noqa: PLR0913, PLR0917 - FastAPI's way of asking for things
    request: Request,
    actor: CurrentActor,
    services: PortalServices,
    job_id: UUID,
    path: Name,
    signals: Annotated[list[Name], Query(max_length=bounds.MOST_SIGNALS)] = [],  # noqa: B006 - never changed
    t0: Time = None,
    t1: Time = None,
    at: Time = None,
    scope: Name = "",
    search: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Its signals over time. Without any named, the first ones of the outermost scope that has some."""
    with services.reading() as session:
        job = get_job(session, actor, job_id)
    path = path.strip("/")
    source = WaveSource(services.settings.effective_workspace_root, job.workspace, path, job.project)
    address = WavesAddress(f"/jobs/{job_id}/waves", path, tuple(signals), t0, t1, at, scope, search, after)
    folder, _, name = path.rpartition("/")
    facts: dict[str, Any] = {"path": path, "folder": folder, "name": name, "problem": None, "stream": False}
    try:
        address = address if signals else _with_first_signals(source, address)
        read = _read(source, address)
    except (WaveformUnreadable, WaveformsBusy) as error:
        [problem] = problems_of(error, pages_of(request).language(request))
        return show_tab(
            request,
            job,
            "files",
            facts | {"problem": problem.text},
            template="waves",
            status=status_of(error),
        )
    return show_tab(request, job, "files", facts | _facts(read, address), template="waves")


def _read(source: WaveSource, address: WavesAddress) -> _Read:
    wanted = WantedWindow(address.t0 or 0, address.t1, columns=1, at=address.at, samples=_SAMPLES)
    return _Read(
        read_header(source),
        list_entries(source, scope=address.scope, search=address.search, after=address.after),
        read_window(source, [wanted_signal(one) for one in address.signals], wanted),
    )


def _with_first_signals(source: WaveSource, address: WavesAddress) -> WavesAddress:
    scope = address.scope
    for _ in range(_DEEPEST):
        entries = list_entries(source, scope=scope).items
        found = [one.name for one in entries if not one.is_scope][:_FIRST_SIGNALS]
        inner = [one.name for one in entries if one.is_scope]
        if found or not inner:
            break
        scope = inner[-1]
    return replace(address, signals=tuple(address_of(one, Radix.HEX) for one in found), scope=scope)


def _facts(read: _Read, address: WavesAddress) -> dict[str, Any]:
    header, window = read.header, read.window
    return {
        "header": header,
        "window": window,
        "address": address,
        "entries": show_entries(read.entries.items, address),
        "top_href": replace(address, scope="", search="", after=0).href,
        "more_href": replace(address, after=read.entries.next).href if read.entries.next else "",
        "rows": show_signals(window, header, address),
        "tick": time_text(1, header),
        "end": time_text(header.end, header),
        "shown_from": time_text(window.begin, header),
        "shown_to": time_text(window.end, header),
        "cursor": time_text(window.at, header),
        "sampled_at": [time_text(time, header) for time in window.sampled_at],
    }
