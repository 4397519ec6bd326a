"""Reads sbatch's --begin: clock times, dates and `now+1hour`, in the city's own time. Pure."""

import re
from datetime import datetime, time, timedelta

from schedulers.directives.circumstances import Circumstances
from schedulers.errors import InvalidJobSpec

_NOW = re.compile(r"^now(?:\+(\d{1,9})(?:(second|minute|hour|day|week)s?)?)?$", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?(am|pm)?$", re.IGNORECASE | re.ASCII)
_ISO = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:T(.+))?$", re.ASCII)
_AMERICAN = re.compile(r"^(\d{1,2})([/.])(\d{1,2})(?:\2(\d{2}))?$|^(\d{2})(\d{2})(\d{2})?$", re.ASCII)
_DATE_AND_CLOCK = re.compile(r"(?<=\d)-(?=\d{1,2}:)")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}
_NAMED = {"midnight": time(0), "elevenses": time(11), "noon": time(12), "fika": time(15), "teatime": time(16)}
_CENTURY = 2000


def begin_at(text: str, circumstances: Circumstances) -> datetime:
    """The instant that --begin names, in the zone of `circumstances.now`.

    A clock time that is past today is tomorrow's; a day and month that are past are next year's.

    Raises:
        InvalidJobSpec: it is none of sbatch's forms.
    """
    try:
        return _read(text.strip(), circumstances.now)
    except (ValueError, OverflowError) as error:
        raise InvalidJobSpec(
            "begin_at", "%(text)r is not a time such as 16:00, now+1hour or 2027-01-20T12:34:00", text=text
        ) from error


def _read(text: str, now: datetime) -> datetime:
    if match := _NOW.match(text):
        return now + timedelta(seconds=int(match[1] or 0) * _UNITS[(match[2] or "second").lower()])
    words = _DATE_AND_CLOCK.sub(" ", text).split()
    if len(words) > 1 and words[1].lower() in {"am", "pm"}:
        words[:2] = ["".join(words[:2])]
    days = [day for word in words if (day := _day(word, now))]
    clocks = [clock for word in words if (clock := _clock(word)) is not None]
    if len(words) == 1 and (match := _ISO.match(text)) and match[4]:
        clocks = [_required(_clock(match[4]))]
    elif len(days) + len(clocks) != len(words):
        raise ValueError(text)
    match days, clocks:
        case [day], []:
            return datetime.combine(day, time(), now.tzinfo)
        case [], [clock]:
            today = datetime.combine(now, clock, now.tzinfo)
            return today if today > now else datetime.combine(now + timedelta(days=1), clock, now.tzinfo)
        case [day], [clock]:
            return datetime.combine(day, clock, now.tzinfo)
        case _:
            raise ValueError(text)


def _day(word: str, now: datetime) -> datetime | None:
    match word.lower():
        case "today":
            return now
        case "tomorrow":
            return now + timedelta(days=1)
    if found := _ISO.match(word):
        return datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=now.tzinfo)
    if found := _AMERICAN.match(word):
        month, day_of_month = int(found[1] or found[5]), int(found[3] or found[6])
        if year := found[4] or found[7]:
            return datetime(int(year) + _CENTURY, month, day_of_month, tzinfo=now.tzinfo)
        day = datetime(now.year, month, day_of_month, tzinfo=now.tzinfo)
        return day if day.date() >= now.date() else day.replace(year=now.year + 1)
    return None


def _clock(word: str) -> time | None:
    if word.lower() in _NAMED:
        return _NAMED[word.lower()]
    match = _CLOCK.match(word)
    if match is None:
        return None
    hour = int(match[1])
    if match[4]:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - the hours of a clock's face
            raise ValueError(word)
        hour = hour % 12 + (12 if match[4].lower() == "pm" else 0)
    return time(hour, int(match[2]), int(match[3] or 0))


def _required(clock: time | None) -> time:
    if clock is None:
        message = "no time of day"
        raise ValueError(message)
    return clock
