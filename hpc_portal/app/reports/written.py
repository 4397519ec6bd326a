"""How a language writes the values of a report: numbers, đồng, hours, shares, days. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from hpc_portal.app.reports.document import Amount, Bytes, Cell, Month, Named, Share, Span
from quotas.amounts import BYTES_PER_GIB, STORAGE
from quotas.money import VND, divide_half_up
from schedulers import tres
from schedulers.units import CITY_TIME

_UNKNOWN = "\N{EN DASH}"
_MINUS, _NO_BREAK = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Style:
    """The habits of a language."""

    group: str
    decimal: str
    day: str
    month: str


STYLES = {"vi": Style(".", ",", "%d/%m/%Y", "%m/%Y"), "en": Style(",", ".", "%d %b %Y", "%b %Y")}


def write(cell: Cell, language: str) -> str:  # noqa: C901, PLR0911 - one line for each kind of value
    """The value as people read it; an en dash for what is not known."""
    match cell:
        case Amount(asset, amount):  # of most cells
            return amount_text(asset, amount, language)
        case None:
            return _UNKNOWN
        case str():
            return cell
        case int():
            return _digits(cell, 1, language)
        case Bytes(count):
            return _digits(count, BYTES_PER_GIB, language, 2)
        case Share():
            return _UNKNOWN if not cell.whole else percent(cell, language)
        case Span(seconds):
            return span(seconds, language)
        case Month(first):
            return month(first, language)
        case Named():
            return cell.shown
        case datetime():
            return f"{cell.astimezone(CITY_TIME):{STYLES[language].day} %H:%M}"
        case _:
            return f"{cell:{STYLES[language].day}}"


def number(value: Fraction, language: str, decimals: int = 0) -> str:
    """Digits in groups, rounded half up, with a true minus sign."""
    return _digits(value.numerator, value.denominator, language, decimals)


def _digits(part: int, whole: int, language: str, decimals: int = 0) -> str:
    """Of a fraction that nobody has to reduce: a page has thousands of them. The whole is above zero."""
    style = STYLES[language]
    scaled = divide_half_up(part * 10**decimals, whole)
    whole, rest = divmod(abs(scaled), 10**decimals)
    text = f"{whole:,}".replace(",", style.group)
    if decimals:
        text += f"{style.decimal}{rest:0{decimals}}"
    return _MINUS + text if scaled < 0 else text


def amount_text(asset: str, amount: int, language: str) -> str:
    """`1.250.000 ₫`, GiB of storage, or hours of a resource: `1.250,50`."""
    if asset == VND:
        return f"{_digits(amount, 1, language)}{_NO_BREAK}₫"
    if asset == STORAGE:
        return _digits(amount, 1, language)
    return _digits(amount, _seconds_per_hour(asset), language, 2)


def hours(asset: str, amount: int) -> Fraction:
    """TRES-seconds as hours, exactly; memory as GiB-hours, storage as GiB."""
    if asset == STORAGE:
        return Fraction(amount)
    return Fraction(amount, _seconds_per_hour(asset))


def _seconds_per_hour(asset: str) -> int:
    """Memory counts MiB, and people read GiB."""
    return 3600 * 1024 if asset == tres.MEM else 3600


def percent(share: Share, language: str) -> str:
    """`71,4 %`."""
    part, whole = (share.part, share.whole) if share.whole > 0 else (-share.part, -share.whole)
    return f"{_digits(100 * part, whole, language, 1)}{_NO_BREAK}%"


def span(seconds: int, language: str) -> str:
    """`2 h 05`, `5 min`, `40 s`."""
    minutes, rest = divmod(seconds, 60)
    if minutes >= 60:  # noqa: PLR2004 - an hour
        return f"{_digits(minutes // 60, 1, language)}{_NO_BREAK}h{_NO_BREAK}{minutes % 60:02}"
    return f"{minutes}{_NO_BREAK}min" if minutes else f"{rest}{_NO_BREAK}s"


def month(first: date, language: str) -> str:
    """`11/2026`, `Nov 2026`."""
    return f"{first:{STYLES[language].month}}"


def day(at: date, language: str) -> str:
    """`26/11/2026`, `26 Nov 2026`."""
    return f"{at:{STYLES[language].day}}"
