"""Cut a window out of a signal's changes: as many points as pixels can show, however many there are; pure."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Protocol

from hpc_portal.app.files.wave_values import Value


class Changes(Protocol):
    """A signal's changes in the order of time, at least one; a moment may have several."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int, /) -> tuple[int, Value]:
        """When, and to what."""


@dataclass(frozen=True, slots=True)
class Point:
    """From this time on the signal has this value; with None it changes too often to be drawn one by one."""

    time: int
    value: Value | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A signal at one time: its value, since when, and until when; None where there is no such change."""

    value: Value | None
    since: int | None
    until: int | None


def cut_window(changes: Changes, begin: int, end: int, columns: int) -> list[Point]:
    """What a signal does from `begin` to `end`, drawn in so many columns of pixels.

    The first point is the value at `begin`, if it has one. A column with one change gives one point; columns
    with more give one point without a value for all that follow each other, and then the value they end with.
    At most two points a column, found by searching and not by reading what lies between.
    """
    at = bisect_right(changes, begin, key=_time)
    points = [Point(begin, changes[at - 1][1])] if at else []
    count, span, in_last = len(changes), end - begin, 1
    is_dense = False
    while at < count:
        time, value = changes[at]
        if time > end:
            break
        column = (time - begin) * columns // span
        column_end = min(begin - (-(column + 1) * span // columns), end + 1)
        following = _first_from(changes, column_end, at + 1, guess=at + in_last)
        in_last = following - at
        if in_last == 1:
            if is_dense:
                points.append(Point(*changes[at - 1]))
            points.append(Point(time, value))
        elif not is_dense:
            points.append(Point(time, None))
        is_dense = in_last > 1
        at = following
    if is_dense:
        points.append(Point(*changes[at - 1]))
    return points


def look_at(changes: Changes, time: int) -> Moment:
    """The value at `time`, and the changes around it."""
    at = bisect_right(changes, time, key=_time)
    until = changes[at][0] if at < len(changes) else None
    if not at:
        return Moment(None, None, until)
    since, value = changes[at - 1]
    return Moment(value, since, until)


def _time(change: tuple[int, Value]) -> int:
    return change[0]


def _first_from(changes: Changes, time: int, start: int, *, guess: int) -> int:
    """The first change at or after `time`, from `start` on, searched away from where it is thought to be."""
    count, step = len(changes), 1
    low = high = min(guess, count)
    if low > start and changes[low - 1][0] >= time:
        high = low - 1
        while high - step >= start and changes[high - step][0] >= time:
            high -= step
            step *= 2
        low = max(start, high - step)
    else:
        while high < count and changes[high][0] < time:
            low = high + 1
            high = min(high + step, count)
            step *= 2
    return bisect_left(changes, time, low, high, key=_time)
