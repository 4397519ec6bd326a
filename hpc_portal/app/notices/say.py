"""From a stored notice to its words, in the language of whoever reads it; pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hpc_portal.app.notices.kinds import NoticeKind
from hpc_portal.app.notices.texts import TEXTS
from quotas.amounts import BYTES_PER_GIB, STORAGE, Asset, format_amount
from quotas.money import VND, divide_half_up, format_vnd
from schedulers import tres
from schedulers.units import CITY_TIME

_SECONDS_PER_HOUR = 3600
_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class SaidNotice:
    """A notice as people read it."""

    title: str
    body: str
    path: str
    """The page of the portal that it is about; "" for none."""


def say(kind: str, facts: Mapping[str, Any], locale: str) -> SaidNotice:
    """The words; a kind that this version does not know (written by a newer one) is shown by its name."""
    try:
        text = TEXTS[NoticeKind(kind)]
    except ValueError:
        return SaidNotice(kind, "", "")
    words = text.vi if locale == "vi" else text.en
    shown = _Shown({name: _show(name, value, locale) for name, value in facts.items()})
    path = re.sub(r"{(\w+)}", lambda found: str(facts.get(found[1], "")), text.path)
    return SaidNotice((words.title % shown).strip(), (words.body % shown).strip(), path)


class _Shown(dict[str, str]):
    """A fact that an older version did not store leaves a gap, not an error."""

    def __missing__(self, _key: str) -> str:
        return ""


def _show(name: str, value: Any, locale: str) -> str:  # noqa: ANN401 - JSON
    ending = name.rpartition("_")[2]
    if name == "lines":
        return ", ".join(say_amount(asset, amount, locale) for asset, amount in sorted(value.items()))
    if value is None:
        return ""
    if ending in _ENDINGS:
        return _ENDINGS[ending](value, locale)
    return str(value)


def say_amount(asset: Asset, amount: int, locale: str) -> str:
    """`500 giờ GPU H100`, `12 giờ CPU`, `1.250.000 ₫`; in English as `quotas.amounts` says it."""
    if asset == STORAGE:
        return f"{_number(Decimal(amount), locale)} GiB" + (" lưu trữ" if locale == "vi" else " of storage")
    if asset == VND or locale != "vi":
        return format_amount(asset, amount)
    per_hour = _SECONDS_PER_HOUR * (_MIB_PER_GIB if asset == tres.MEM else 1)
    hours = _number(Decimal(divide_half_up(100 * amount, per_hour)) / 100, locale)
    return f"{hours} giờ{_unit(asset)}"


def _unit(asset: Asset) -> str:
    kind, _, detail = asset.partition("/")
    match kind:
        case "gres":
            return f" GPU {detail.partition(':')[2].upper()}".rstrip()
        case "license":
            return f" giấy phép {detail}"
        case tres.MEM:
            return "·GiB bộ nhớ"
    return " CPU" if asset == tres.CPU else f" {asset}"


def _number(value: Decimal, locale: str) -> str:
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return text.translate(str.maketrans(",.", ".,")) if locale == "vi" else text


def _vnd(value: int, _locale: str) -> str:
    return format_vnd(value)


def say_bytes(value: int, locale: str) -> str:
    """`12,5 GiB`; never nothing where there is something."""
    hundredths = max(divide_half_up(100 * value, BYTES_PER_GIB), int(value > 0))
    return f"{_number(Decimal(hundredths) / 100, locale)} GiB"


def _instant(value: str, locale: str) -> str:
    return datetime.fromisoformat(value).astimezone(CITY_TIME).strftime(f"{_DAY[locale == 'vi']} %H:%M")


def _day(value: str, locale: str) -> str:
    return datetime.fromisoformat(value).astimezone(CITY_TIME).strftime(_DAY[locale == "vi"])


def _last_day(value: str, locale: str) -> str:
    """The last day of a period that ends at this instant."""
    last = datetime.fromisoformat(value) - timedelta(microseconds=1)
    return last.astimezone(CITY_TIME).strftime(_DAY[locale == "vi"])


_DAY = {True: "%d/%m/%Y", False: "%d %b %Y"}
_ENDINGS: Mapping[str, Callable[[Any, str], str]] = {
    "vnd": _vnd,
    "bytes": say_bytes,
    "at": _instant,
    "on": _day,
    "until": _last_day,
}
"""What the end of a fact's name says of its value."""
