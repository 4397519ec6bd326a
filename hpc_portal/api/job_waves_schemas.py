"""Replies about waveforms of jobs."""

from hpc_portal.api.schemas import Reply
from hpc_portal.app.files.wave_values import Radix


class WaveHeaderReply(Reply):
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


class WaveEntryReply(Reply):
    """A scope or a signal."""

    is_scope: bool
    name: str
    """With the names of all scopes around it; by this it is asked for."""
    label: str
    """Its own name, harmless to show."""
    kind: str
    """Of a signal: `bit`, `bits`, `real`, `text`, `event`."""
    width: int
    """Bits."""


class DrawnSignalReply(Reply):
    """What a signal does in a window, and around the cursor."""

    name: str
    label: str
    kind: str
    """Empty when the file has no such signal, or one that is too wide."""
    width: int
    radix: Radix
    points: list[tuple[int, str | None, str]]
    """Time, value, and `x` or `z` where a bit of it is; null where it changes too often to be drawn."""
    value: str | None
    """At the cursor; null before its first change."""
    state: str
    since: int | None
    until: int | None
    """The next change."""


class WaveWindowReply(Reply):
    """A part of the time, in ticks."""

    begin: int
    end: int
    at: int
    """The cursor."""
    signals: list[DrawnSignalReply]
