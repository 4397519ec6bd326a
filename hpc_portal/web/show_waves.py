"""A waveform in the words of its page: times in readable units, addresses that keep what is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from hpc_portal.app.files.wave_values import Radix
from hpc_portal.app.files.waves import DrawnSignal, WaveEntry, WaveHeader, WaveWindow, address_of

_UNITS = ("fs", "ps", "ns", "us", "ms", "s")
_SHOWN_UNITS = ("fs", "ps", "ns", "µs", "ms", "s")
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class WavesAddress:
    """All that a page of waves shows, as its address says it."""

    base: str
    path: str
    signals: tuple[str, ...] = ()
    """As `wanted_signal` reads them."""
    t0: int | None = None
    t1: int | None = None
    at: int | None = None
    scope: str = ""
    search: str = ""
    after: int = 0

    @property
    def href(self) -> str:
        """The address."""
        single = {
            "path": self.path,
            "t0": self.t0,
            "t1": self.t1,
            "at": self.at,
            "scope": self.scope,
            "search": self.search,
            "after": self.after,
        }
        kept = [(name, value) for name, value in single.items() if value not in (None, "", 0)]
        return f"{self.base}?{urlencode([*kept, *(('signals', one) for one in self.signals)])}"


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """A scope to enter or a signal to add."""

    is_scope: bool
    name: str
    label: str
    width: str
    """`[31:0]` for more than one bit."""
    href: str
    is_drawn: bool


@dataclass(frozen=True, slots=True)
class ShownSignal:
    """One row of the table of values."""

    name: str
    address: str
    is_known: bool
    value: str
    state: str
    since: str
    until: str
    since_href: str
    until_href: str
    without_href: str
    """The page without this signal."""
    sampled: tuple[str, ...]


def time_text(ticks: int, header: WaveHeader) -> str:
    """A time exactly, in the largest unit of which it is at least one: 1999000 ps are 1.999 µs."""
    if header.unit not in _UNITS:
        return str(ticks)
    amount = ticks * header.factor
    place, divisor = _UNITS.index(header.unit), 1
    while amount >= divisor * _THOUSAND and place + 1 < len(_UNITS):
        place, divisor = place + 1, divisor * _THOUSAND
    whole, rest = divmod(amount, divisor)
    digits = f"{rest:0{len(str(divisor)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}{'.' if digits else ''}{digits} {_SHOWN_UNITS[place]}"


def show_entries(entries: Sequence[WaveEntry], address: WavesAddress) -> list[ShownEntry]:
    """What a scope holds: scopes lead into themselves, signals to the page with them."""
    drawn = set(address.signals)
    shown = []
    for one in entries:
        if one.is_scope:
            href = replace(address, scope=one.name, search="", after=0).href
        else:
            href = replace(address, signals=(*address.signals, address_of(one.name, Radix.HEX))).href
        width = f"[{one.width - 1}:0]" if one.width > 1 else ""
        shown.append(ShownEntry(one.is_scope, one.name, one.label, width, href, one.name in drawn))
    return shown


def show_signals(window: WaveWindow, header: WaveHeader, address: WavesAddress) -> list[ShownSignal]:
    """The rows of the table of values, in the order in which they are drawn."""
    return [_shown(place, one, header, address) for place, one in enumerate(window.signals)]


def _shown(place: int, one: DrawnSignal, header: WaveHeader, address: WavesAddress) -> ShownSignal:
    rest = (*address.signals[:place], *address.signals[place + 1 :])
    return ShownSignal(
        name=one.label,
        address=address.signals[place],
        is_known=bool(one.kind),
        value=one.value or "",
        state=one.state,
        since="" if one.since is None else time_text(one.since, header),
        until="" if one.until is None else time_text(one.until, header),
        since_href="" if one.since is None else replace(address, at=one.since).href,
        until_href="" if one.until is None else replace(address, at=one.until).href,
        without_href=replace(address, signals=rest).href,
        sampled=tuple(value or "" for value in one.sampled),
    )
