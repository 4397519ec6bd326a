"""Waveforms in a job's workspace: what is in them, and windows of time as a browser draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_portal.app.errors import WaveformUnreadable
from hpc_portal.app.files.open_file import open_file
from hpc_portal.app.files.wave_bounds import MOST_LISTED
from hpc_portal.app.files.wave_process import NoAnswer
from hpc_portal.app.files.wave_readers import READERS
from hpc_portal.app.files.wave_values import Radix

_FST, _GHW = b"\0\0\0\0\0\0\0\x01\x49", b"GHDLwave"
_VCD = (b"$date", b"$version", b"$timescale", b"$comment", b"$scope", b"$attrbegin", b"$var")
_SUFFIXES = (".vcd", ".fst", ".ghw")


@dataclass(frozen=True, slots=True)
class WaveSource:
    """A file of a workspace; `project` is whose share of the readers it takes."""

    root: Path
    workspace: str
    path: str
    project: str


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """What a waveform says of itself."""

    format: str
    """`VCD`, `FST` or `GHW`."""
    factor: int
    unit: str
    """A tick of time is `factor` of these: `ns`; empty when the file does not say."""
    end: int
    """The last tick."""
    signals: int
    version: str
    """Of the simulator, in its own words."""


@dataclass(frozen=True, slots=True)
class WaveEntry:
    """A scope or a signal."""

    is_scope: bool
    name: str
    """With the names of all scopes around it; by this it is asked for."""
    label: str
    """Its own name, harmless to show."""
    kind: str
    """Of a signal; see `SignalKind`."""
    width: int
    """Bits."""


@dataclass(frozen=True, slots=True)
class WaveEntries:
    """Some of them, and where the next ones begin; None at the end."""

    items: tuple[WaveEntry, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class DrawnSignal:
    """What a signal does in a window."""

    name: str
    label: str
    kind: str
    """See `SignalKind`; empty when the file has no such signal, or one that is too wide."""
    width: int
    radix: Radix
    points: Sequence[tuple[int, str | None, str]]
    """Time, value, and `x` or `z` where a bit of it is; no value where it changes too often to be drawn."""
    value: str | None
    """At the cursor; None before its first change."""
    state: str
    since: int | None
    until: int | None
    """The next change."""
    sampled: Sequence[str | None]
    """Values at `sampled_at` of the window."""


@dataclass(frozen=True, slots=True)
class WaveWindow:
    """A part of the time, in ticks."""

    begin: int
    end: int
    at: int
    """The cursor."""
    sampled_at: Sequence[int]
    signals: tuple[DrawnSignal, ...]


@dataclass(frozen=True, slots=True)
class WantedWindow:
    """Which part of the time; `end` None is the file's, `at` None is `begin`."""

    begin: int = 0
    end: int | None = None
    columns: int = 1000
    """Pixels across."""
    at: int | None = None
    samples: int = 0
    """How many values of each signal are told beside, evenly over the window."""


def looks_like_waves(head: bytes, name: str) -> bool:
    """Whether a file that begins so is to be shown as a waveform; text only under a name that says so."""
    is_text = name.lower().endswith(_SUFFIXES) and head.lstrip().startswith(_VCD)
    return is_text or head.startswith((_FST, _GHW))


def wanted_signal(text: str) -> tuple[str, Radix]:
    """A signal as addresses name it: its full name, after `dec:`, `sgn:` or `bin:` where it is not in hex."""
    radix, colon, name = text.partition(":")
    return (name, Radix(radix)) if colon and radix in set(Radix) else (text, Radix.HEX)


def address_of(name: str, radix: Radix) -> str:
    """The same the other way round."""
    return name if radix is Radix.HEX and wanted_signal(name)[0] == name else f"{radix.value}:{name}"


def read_header(source: WaveSource) -> WaveHeader:
    """What it says of itself.

    Raises:
        FileNotInWorkspace: see `open_file`.
        WaveformUnreadable: it is none, or reading it costs more than a preview may.
        WaveformsBusy: too many are being read.
    """
    return WaveHeader(**_ask(source, {"ask": "header"}))


def list_entries(
    source: WaveSource, *, scope: str = "", search: str = "", after: int = 0, limit: int = MOST_LISTED
) -> WaveEntries:
    """The scopes and signals of a scope, or with `search` the signals whose names have all its words.

    Raises: as `read_header`.
    """
    question = {"ask": "entries", "scope": scope, "search": search, "after": after, "limit": limit}
    found = _ask(source, question)
    return WaveEntries(tuple(WaveEntry(**one) for one in found["items"]), found["next"])


def read_window(source: WaveSource, signals: Sequence[tuple[str, Radix]], wanted: WantedWindow) -> WaveWindow:
    """What signals do in a window: at most two points a column each, whatever the file holds.

    Raises: as `read_header`.
    """
    question = {
        "ask": "window",
        "signals": [(name, radix.value) for name, radix in signals],
        "begin": wanted.begin,
        "end": wanted.end,
        "columns": wanted.columns,
        "at": wanted.at,
        "samples": wanted.samples,
    }
    found = _ask(source, question)
    drawn = tuple(_drawn(one) for one in found["signals"])
    return WaveWindow(found["begin"], found["end"], found["at"], found["sampled_at"], drawn)


def _drawn(told: dict[str, Any]) -> DrawnSignal:
    points = [(time, text, state) for time, text, state in told["points"]]
    return DrawnSignal(**told | {"radix": Radix(told["radix"]), "points": points})


def _ask(source: WaveSource, question: dict[str, Any]) -> dict[str, Any]:
    with open_file(source.root, source.workspace, source.path) as descriptor:
        try:
            found: dict[str, Any] = READERS.ask(descriptor, source.project, question)
        except NoAnswer as error:
            raise WaveformUnreadable(source.path, error.why) from error
    return found
