"""What the API asks and replies about a waveform, wherever the file lies."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from hpc_portal.api.job_waves_schemas import WaveEntryReply, WaveHeaderReply, WaveWindowReply
from hpc_portal.api.schemas import PageReply
from hpc_portal.app.files import wave_bounds as bounds
from hpc_portal.app.files.waves import (
    WantedWindow,
    WaveSource,
    list_entries,
    read_header,
    read_window,
    wanted_signal,
)

Time = Annotated[int, Field(ge=0, le=bounds.MOST_TIME)]
Name = Annotated[str, Field(max_length=4096)]


class WantedEntries(BaseModel):
    """Which file, and which part of its list of signals."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    scope: Name = ""
    search: Annotated[str, Field(max_length=200)] = ""
    cursor: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=bounds.MOST_LISTED)] = 200


class WantedSignals(BaseModel):
    """Which file, which signals, and which part of the time."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    signals: Annotated[list[Name], Field(max_length=bounds.MOST_SIGNALS)]
    t0: Time | None = 0
    t1: Time | None = None
    at: Time | None = None
    px: Annotated[int, Field(ge=1, le=bounds.MOST_COLUMNS)] = 1000


EntriesQuery = Annotated[WantedEntries, Query()]
SignalsQuery = Annotated[WantedSignals, Query()]


def header_reply(source: WaveSource) -> WaveHeaderReply:
    """What the file says of itself."""
    return WaveHeaderReply.model_validate(read_header(source))


def entries_reply(source: WaveSource, wanted: WantedEntries) -> PageReply[WaveEntryReply]:
    """One page of what is in a scope, or of what a search finds."""
    found = list_entries(
        source, scope=wanted.scope, search=wanted.search, after=wanted.cursor, limit=wanted.limit
    )
    return PageReply(
        items=[WaveEntryReply.model_validate(one) for one in found.items],
        next_cursor=None if found.next is None else str(found.next),
    )


def window_reply(source: WaveSource, wanted: WantedSignals) -> WaveWindowReply:
    """What the signals do in a part of the time."""
    window = WantedWindow(begin=wanted.t0 or 0, end=wanted.t1, columns=wanted.px, at=wanted.at)
    signals = [wanted_signal(one) for one in wanted.signals]
    return WaveWindowReply.model_validate(read_window(source, signals, window))
