"""Days, and yes or no, as the API takes them: in the one form that it describes (instants: `schedulers`).

Pydantic alone would take `0` for the first day of 1970, and `on` or `y` for yes.
"""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticKnownError

from schedulers.instant import FIRST_YEAR, LAST_YEAR

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: object) -> object:
    match value:
        case None | date():
            return value
        case str() if _DAY.fullmatch(value):
            return value
        case str():
            raise PydanticKnownError("date_parsing", {"error": "write it as YYYY-MM-DD"})
        case _:
            raise PydanticKnownError("date_type")


def _within_reach(day: date) -> date:
    if day.year < FIRST_YEAR:
        raise PydanticKnownError("greater_than_equal", {"ge": f"{FIRST_YEAR}-01-01"})
    if day.year > LAST_YEAR:
        raise PydanticKnownError("less_than_equal", {"le": f"{LAST_YEAR}-12-31"})
    return day


def _flag(value: object) -> object:
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise PydanticKnownError("bool_parsing")
    return value


Day = Annotated[date, BeforeValidator(_day), AfterValidator(_within_reach)]
"""A day of the city, such as 2026-12-31."""

Flag = Annotated[bool, BeforeValidator(_flag)]
"""`true` or `false`."""
