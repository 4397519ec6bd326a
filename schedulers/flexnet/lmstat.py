"""Reads what FlexNet's `lmstat -a` prints, of any release since 10: features, who has them, who waits. Pure.

Formats: FlexNet Publisher License Administration Guide, "lmstat". It prints singular and plural, leaves the
year out of a start, and tells of a server that it cannot reach in a line among the others.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

_SERVER = re.compile(r"^\s*(\S+): license server (UP|DOWN)\b")
_DAEMON = re.compile(r"^\s*(\w+): (UP\b|DOWN\b|The desired vendor daemon is down|No socket connection)")
_FEATURE = re.compile(
    r"^Users of (?P<name>[^\s:]+):\s+\((?:"
    r"Total of (?P<issued>\d+) licenses? issued;\s+Total of (?P<in_use>\d+) licenses? in use"
    r"|(?P<uncounted>Uncounted)[^)]*"
    r"|Error: (?P<lost>\d+) licenses?, (?P<problem>[^)]*)"
    r")\)"
)
_EXPIRY = re.compile(r'^\s+"[^"]*" v\S+, vendor: \S+, expiry: (?P<expiry>.*\S)')
_HOLDER = r"^\s+(?P<who>\S.*?)\s+\((?P<version>v?[^()]*)\)\s+\((?P<handle>[^()]*)\)"
_CHECKOUT = re.compile(
    _HOLDER + r",\s+start \w{3} (?P<month>\d{1,2})/(?P<day>\d{1,2}) (?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?:,\s+(?P<count>\d+) licenses?)?"
)
_QUEUED = re.compile(_HOLDER + r",?\s+queued for (?P<count>\d+) licenses?")
_RESERVED = re.compile(r"^\s+(?P<count>\d+) RESERVATIONs? for (?P<kind>\w+) (?P<name>\S+)")
_PROBLEM = re.compile(
    r"^\s*(?:Error getting status:\s*)?"
    r"(?P<text>Cannot .*|Can't .*|lmgrd is not running.*|.*\(-\d+[,:)].*)$"
)
_TOMORROW = timedelta(days=1)
"""The server's clock, or its time zone, may be ahead of ours by less."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Licences of one feature that somebody has, or waits for."""

    user: str
    host: str
    """As the tool told the server: short or fully qualified."""
    count: int
    started_at: datetime | None = None
    """To the minute; None for who waits."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a server."""

    name: str
    issued: int
    """0 where nothing is counted."""
    in_use: int
    checkouts: tuple[Checkout, ...] = ()
    queued: tuple[Checkout, ...] = ()
    reserved: int = 0
    """Kept by the server's options file for users, groups or hosts that do not use them now."""
    is_counted: bool = True
    expires: str = ""
    """As the licence file has it: `31-dec-2026`, `permanent(no expiration date)`."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LicenseReport:
    """All that one server said."""

    features: tuple[Feature, ...] = ()
    hosts_down: tuple[str, ...] = ()
    """Of a redundant server; the others may serve alone."""
    daemons_down: tuple[str, ...] = ()
    problem: str = ""
    """Why it said nothing about its features; "" when it did."""


@dataclass(slots=True)
class _Reading:
    """A feature while its lines are read."""

    feature: Feature
    checkouts: list[Checkout] = field(default_factory=list)
    queued: list[Checkout] = field(default_factory=list)
    reserved: int = 0

    def whole(self) -> Feature:
        return replace(
            self.feature,
            checkouts=tuple(self.checkouts),
            queued=tuple(self.queued),
            reserved=self.reserved,
        )


def read_lmstat(text: str, *, now: datetime) -> LicenseReport:
    """What `lmstat -a` printed. Lines of no known form are passed over.

    Args:
        text: its output, of any length.
        now: aware, in the time zone of the licence server: starts have no year.
    """
    reading: _Reading | None = None
    found: list[_Reading] = []
    hosts_down, daemons_down, problem = [], [], ""
    for line in text.splitlines():
        if match := _FEATURE.match(line):
            reading = _Reading(_feature(match))
            found.append(reading)
            continue
        if line and not line[0].isspace():
            reading = None  # the next vendor daemon, or the end
        if reading is not None:
            _read_detail(line, reading, now)
        elif match := _SERVER.match(line):
            hosts_down += [match[1]] if match[2] == "DOWN" else []
        elif match := _DAEMON.match(line):
            daemons_down += [] if match[2] == "UP" else [match[1]]
        elif match := _PROBLEM.match(line):
            problem = problem or match["text"].strip()
    return LicenseReport(
        features=tuple(_merged(found)),
        hosts_down=tuple(hosts_down),
        daemons_down=tuple(daemons_down),
        problem="" if found else problem,
    )


def _feature(match: re.Match[str]) -> Feature:
    return Feature(
        name=match["name"],
        issued=int(match["issued"] or 0),
        in_use=int(match["in_use"] or 0),
        is_counted=not match["uncounted"],
        problem=match["problem"] or "",
    )


def _read_detail(line: str, reading: _Reading, now: datetime) -> None:
    if match := _CHECKOUT.match(line):
        reading.checkouts.append(_checkout(match, started_at=_started(match, now)))
    elif match := _QUEUED.match(line):
        reading.queued.append(_checkout(match))
    elif match := _RESERVED.match(line):
        reading.reserved += int(match["count"])
    elif match := _EXPIRY.match(line):
        reading.feature = replace(reading.feature, expires=match["expiry"])


def _checkout(match: re.Match[str], *, started_at: datetime | None = None) -> Checkout:
    """User, host and display are told apart by blanks, and only the display may have some in it."""
    user, _, rest = match["who"].partition(" ")
    return Checkout(user, rest.partition(" ")[0], int(match["count"] or 1), started_at)


def _started(match: re.Match[str], now: datetime) -> datetime | None:
    """In the year that makes it the last such day; None for a day that no year has."""
    for year in (now.year, now.year - 1, now.year - 2, now.year - 3, now.year - 4):
        try:
            at = now.replace(
                year=year,
                month=int(match["month"]),
                day=int(match["day"]),
                hour=int(match["hour"]),
                minute=int(match["minute"]),
                second=0,
                microsecond=0,
            )
        except ValueError:  # the 29th of February
            continue
        if at <= now + _TOMORROW:
            return at
    return None


def _merged(found: list[_Reading]) -> Iterator[Feature]:
    """A feature that several vendor daemons or pools serve is one."""
    by_name: dict[str, Feature] = {}
    for reading in found:
        feature = reading.whole()
        if known := by_name.get(feature.name):
            feature = replace(
                known,
                issued=known.issued + feature.issued,
                in_use=known.in_use + feature.in_use,
                checkouts=known.checkouts + feature.checkouts,
                queued=known.queued + feature.queued,
                reserved=known.reserved + feature.reserved,
                is_counted=known.is_counted and feature.is_counted,
                problem=known.problem or feature.problem,
            )
        by_name[feature.name] = feature
    yield from by_name.values()
