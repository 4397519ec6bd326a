"""A project's burn-down as a line to draw and a sentence to read."""

from dataclasses import dataclass
from datetime import date

from hpc_portal.app.home.burn_down import BurnDown
from hpc_portal.app.reports import written
from hpc_portal.web.language import Language
from workloads.template import N_

WIDTH, HEIGHT = 240, 64
"""Of the drawing, in its own units."""


@dataclass(frozen=True, slots=True)
class ShownBurnDown:
    """What the start page draws."""

    line: str
    """Points of an SVG polyline."""
    area: str
    """The same, closed at the bottom."""
    sentence: str
    alt: str
    """What the drawing shows, in words."""
    width: int = WIDTH
    height: int = HEIGHT


def show_burn_down(found: BurnDown, language: Language) -> ShownBurnDown:
    """Full height is the most that was left on any of the days."""
    top = max(*found.left, 1)
    step = WIDTH / (len(found.left) - 1)
    points = [
        f"{round(number * step, 1)},{round(HEIGHT - HEIGHT * max(left, 0) / top, 1)}"
        for number, left in enumerate(found.left)
    ]
    alt = language.gettext(
        N_("What was left from %(first)s to today: from %(before)s to %(now)s"),
        first=written.day(found.days[0], language.code),
        before=language.vnd(found.left[0]),
        now=language.vnd(found.left[-1]),
    )
    line = " ".join(points)
    return ShownBurnDown(line, f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}", say_burn_down(found, language), alt)


def say_burn_down(found: BurnDown, language: Language) -> str:
    """How long it lasts."""
    if found.forecast is None:
        return language.gettext(N_("Valid until %(day)s."), day=written.day(found.last_day, language.code))
    if found.forecast.exhausted_on is None:
        return language.gettext(
            N_("At the pace of the last weeks it lasts until it expires on %(day)s."),
            day=written.day(found.last_day, language.code),
        )
    return language.gettext(
        N_("At the pace of the last weeks it is used up on %(day)s (%(earliest)s to %(latest)s)."),
        day=written.day(found.forecast.exhausted_on, language.code),
        earliest=_day(found.forecast.earliest_on, language),
        latest=_day(found.forecast.latest_on, language),
    )


def _day(day: date | None, language: Language) -> str:
    return written.day(day, language.code) if day else language.gettext(N_("or never"))
