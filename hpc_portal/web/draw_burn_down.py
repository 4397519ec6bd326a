"""A project's burn-down as a drawing: what was left, and what the forecast leaves; the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hpc_portal.app.home.burn_down import BurnDown
from hpc_portal.app.reports import written
from hpc_portal.app.reports.forecast import Forecast
from hpc_portal.web.language import Language
from workloads.template import N_

WIDTH, HEIGHT = 960, 180
"""Of the drawing, in its own units."""
_MOST_DAYS_AHEAD = 56
_DAYS_BETWEEN_ROWS = 7


@dataclass(frozen=True, slots=True)
class DrawnBurnDown:
    """Points in the drawing's units, and what is written beside it."""

    past: str
    """Points of a polyline."""
    area: str
    """The same, closed at the bottom."""
    ahead: str
    """The middle future; "" without a forecast."""
    range: str
    """A polygon in which four futures of five lie; "" without a forecast."""
    today_x: float
    first: str
    today: str
    last: str
    rows: Sequence[tuple[str, str]]
    """The table twin: days and what was or will be left."""
    width: int = WIDTH
    height: int = HEIGHT


def draw_burn_down(found: BurnDown, language: Language) -> DrawnBurnDown:
    """Full height is the most that was left on any of the days; the forecast is drawn as straight lines."""
    today = found.days[-1]
    ahead = min(max((found.last_day - today).days, 1), _MOST_DAYS_AHEAD) if found.forecast else 0
    scale = _Scale(found.days[0], today + timedelta(days=ahead), max(*found.left, 1))
    past = [scale.point(day, left) for day, left in zip(found.days, found.left, strict=True)]
    line = " ".join(past)
    middle, low, high = (
        _ends(found.forecast, today, found.left[-1], scale.last) if found.forecast else (None, None, None)
    )
    here = past[-1]
    return DrawnBurnDown(
        past=line,
        area=f"0,{HEIGHT} {line} {scale.x(today)},{HEIGHT}",
        ahead=f"{here} {scale.point(*middle)}" if middle else "",
        range=" ".join((here, *(scale.point(*end) for end in _between(low, high)))) if low and high else "",
        today_x=scale.x(today),
        first=written.day(scale.first, language.code),
        today=written.day(today, language.code),
        last=written.day(scale.last, language.code) if ahead else "",
        rows=_rows(found, language),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    first: date
    last: date
    top: int

    def x(self, day: date) -> float:
        return round(WIDTH * (day - self.first).days / (self.last - self.first).days, 1)

    def point(self, day: date, left: int) -> str:
        return f"{self.x(day)},{round(HEIGHT - HEIGHT * max(left, 0) / self.top, 1)}"


_Point = tuple[date, int]


def _ends(forecast: Forecast, today: date, left: int, shown_last: date) -> tuple[_Point, _Point, _Point]:
    """Where the middle, the lowest and the highest line end, cut at the last day that is shown."""

    def end(runs_out: date | None, unused: int) -> _Point:
        day, rest = (runs_out, 0) if runs_out else (forecast.until, unused)
        if day <= shown_last:
            return day, rest
        share = (shown_last - today).days / max((day - today).days, 1)
        return shown_last, round(left - (left - rest) * share)

    return (
        end(forecast.exhausted_on, forecast.unused.middle),
        end(forecast.earliest_on, forecast.unused.low),
        end(forecast.latest_on, forecast.unused.high),
    )


def _between(low: _Point, high: _Point) -> tuple[_Point, ...]:
    """The outer edge of the range: what ran out stays empty until the last day of the highest line."""
    return (low, (high[0], low[1]), high) if low[0] < high[0] else (low, high)


def _rows(found: BurnDown, language: Language) -> list[tuple[str, str]]:
    days = list(zip(found.days, found.left, strict=True))[::-_DAYS_BETWEEN_ROWS][::-1]
    rows = [(written.day(day, language.code), language.vnd(left)) for day, left in days]
    if found.forecast is None:
        return rows
    say, ahead = language.gettext, found.forecast
    ends = (
        (N_("Earliest end"), ahead.earliest_on),
        (N_("Likely end"), ahead.exhausted_on),
        (N_("Latest end"), ahead.latest_on),
    )
    return [
        *rows,
        *((say(text), written.day(day, language.code)) for text, day in ends if day),
        (
            say(N_("Left when it expires on %(day)s"), day=written.day(ahead.until, language.code)),
            f"{language.vnd(ahead.unused.low)} – {language.vnd(ahead.unused.high)}",  # noqa: RUF001 - a range
        ),
    ]
