"""What the page of a waveform shows, wherever the file lies: the same for jobs and for projects."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

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
from hpc_portal.web.language import Language
from hpc_portal.web.problems import problems_of, status_of
from hpc_portal.web.show_waves import WavesAddress, show_entries, show_signals, time_text

_SAMPLES = 6
_FIRST_SIGNALS = 8
_DEEPEST = 16
Time = Annotated[int, Field(ge=0, le=bounds.MOST_TIME)]
Name = Annotated[str, Field(max_length=4096)]


class WantedWaves(BaseModel):
    """What the page's address says."""

    path: Name
    signals: Annotated[list[Name], Field(max_length=bounds.MOST_SIGNALS)] = []
    t0: Time | None = None
    t1: Time | None = None
    at: Time | None = None
    scope: Name = ""
    search: Annotated[str, Field(max_length=200)] = ""
    after: Annotated[int, Field(ge=0)] = 0


WavesQuery = Annotated[WantedWaves, Query()]


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of the file."""

    header: WaveHeader
    entries: WaveEntries
    window: WaveWindow


def waves_facts(
    source: WaveSource, home: str, wanted: WantedWaves, language: Language
) -> tuple[dict[str, Any], HTTPStatus]:
    """What `files/waves.html` needs; without signals named, the first ones of the outermost scope with some.

    Args:
        source: the file; its path has no slash before it.
        home: the address below which the pages of its folder are.
        wanted: what of it.
        language: the reader's.
    """
    address = WavesAddress(
        f"{home}/waves",
        source.path,
        tuple(wanted.signals),
        wanted.t0,
        wanted.t1,
        wanted.at,
        wanted.scope,
        wanted.search,
        wanted.after,
    )
    folder, _, name = source.path.rpartition("/")
    facts: dict[str, Any] = {
        "home": home,
        "path": source.path,
        "folder": folder,
        "name": name,
        "problem": None,
        "stream": False,
    }
    try:
        address = address if wanted.signals else _with_first_signals(source, address)
        read = _read(source, address)
    except (WaveformUnreadable, WaveformsBusy) as error:
        [problem] = problems_of(error, language)
        return facts | {"problem": problem.text}, status_of(error)
    return facts | _facts(read, address), HTTPStatus.OK


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
