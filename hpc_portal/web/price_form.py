"""Reads the forms about prices and limits: numbers as people write them, local times, rows of prices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from starlette.datastructures import FormData

from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.reports.period import YEARS
from quotas.errors import InvalidAmount
from quotas.pricing import PriceItem
from schedulers.errors import InvalidJobSpec
from schedulers.units import CITY_TIME
from workloads.template import N_

_EMPTY_ROWS = 4
_LONGEST_NUMBER = 18
_MOST_POINTS = 10**9
"""More than anybody may enter: `1e400` is short, and longer than any number that a page can show."""
_WHOLE = re.compile(r"\d{1,18}|\d{1,3}(?:[., ]\d{3}){1,5}", re.ASCII)
"""`1250000` or `1.250.000`, never `12.5`."""
_WHOLE_NUMBER = N_("Enter a whole number.")


@dataclass(frozen=True, slots=True)
class FormRow:
    """One price as it stands in the form."""

    tres: str = ""
    partition: str = ""
    rate: str = ""


def rows_of(items: Sequence[PriceItem], form: FormData | None) -> list[FormRow]:
    """What was entered, or the draft's own prices, and a few empty rows."""
    if form is not None:
        entered = [FormRow(*row) for row in _rows(form)]
        return [*(row for row in entered if row != FormRow()), *[FormRow()] * _EMPTY_ROWS]
    ordered = sorted(items, key=lambda item: (item.tres, item.partition or ""))
    rows = [FormRow(item.tres, item.partition or "", str(item.rate_vnd_per_hour)) for item in ordered]
    return [*rows, *[FormRow()] * _EMPTY_ROWS]


def read_items(form: FormData) -> list[PriceItem]:
    """The prices in the form; empty rows are left out.

    Raises:
        InvalidEntry: with every row that makes no sense.
    """
    found: list[PriceItem] = []
    problems: list[Problem] = []
    for name, partition, rate in _rows(form):
        if not (name or partition or rate):
            continue
        try:
            found.append(PriceItem(name, _whole(rate, name or "tres"), partition or None))
        except InvalidEntry as error:
            problems += error.problems
        except (InvalidAmount, InvalidJobSpec) as error:
            problems.append(Problem(name or "tres", error.text, error.facts))
    if problems:
        raise InvalidEntry(problems)
    return found


def number_of(form: FormData, name: str) -> int:
    """A whole number, with or without separators of thousands.

    Raises:
        InvalidEntry: it is none.
    """
    return _whole(str(form.get(name, "")).strip(), name)


def basis_points_of(form: FormData, name: str) -> int:
    """`12,5` or `12.5` percent in hundredths of a percent.

    Raises:
        InvalidEntry: it is no such number.
    """
    text = str(form.get(name, "")).strip().removesuffix("%").strip().replace(",", ".")
    try:
        points = Decimal(text) * 100
        if (
            len(text) <= _LONGEST_NUMBER
            and points == points.to_integral_value()
            and abs(points) <= _MOST_POINTS
        ):
            return int(points)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise InvalidEntry([Problem(name, N_("Enter a percentage with at most two decimals, such as 12,5."))])


def instant_of(form: FormData, name: str) -> datetime | None:
    """A local time of the kind "datetime-local", in the city's zone; None when it was left empty.

    Raises:
        InvalidEntry: it is no time.
    """
    text = str(form.get(name, "")).strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidEntry([Problem(name, N_("Enter a date and a time."))]) from None
    if at.year not in YEARS:
        raise InvalidEntry([Problem(name, N_("Enter a date and a time."))])
    return at if at.tzinfo else at.replace(tzinfo=CITY_TIME)


def _rows(form: FormData) -> list[tuple[str, str, str]]:
    columns = ([str(value).strip() for value in form.getlist(name)] for name in ("tres", "partition", "rate"))
    return list(zip(*columns, strict=False))


def _whole(text: str, field: str) -> int:
    bare = text.removesuffix("₫").replace("\N{NO-BREAK SPACE}", " ").strip()
    if not _WHOLE.fullmatch(bare):
        raise InvalidEntry([Problem(field, _WHOLE_NUMBER)])
    return int("".join(filter(str.isdigit, bare)))
