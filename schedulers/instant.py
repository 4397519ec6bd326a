"""An instant as clients may write it: as RFC 3339 does and in no other form, with its offset.

Pydantic alone would take `0` for the beginning of 1970, and a day for its midnight.
"""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticKnownError

FIRST_YEAR, LAST_YEAR = 1900, 8999
"""Far from the ends of the calendar, where a change of time zone or a walltime more would leave it."""
_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.IGNORECASE,
)
"""Pydantic says what is out of range, and that an offset is missing."""


def _in_form(value: object) -> object:
    match value:
        case None | datetime():
            return value
        case str() if _FORM.fullmatch(value):
            return value
        case str():
            advice = "write it as RFC 3339 does, in an address with %2B for +"
            raise PydanticKnownError("datetime_parsing", {"error": advice})
        case _:
            raise PydanticKnownError("datetime_type")


def _within_reach(at: datetime) -> datetime:
    if at < datetime(FIRST_YEAR, 1, 1, tzinfo=UTC):
        raise PydanticKnownError("greater_than_equal", {"ge": f"{FIRST_YEAR}-01-01T00:00:00Z"})
    if at >= datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC):
        raise PydanticKnownError("less_than", {"lt": f"{LAST_YEAR + 1}-01-01T00:00:00Z"})
    return at


Instant = Annotated[AwareDatetime, BeforeValidator(_in_form), AfterValidator(_within_reach)]
"""Such as 2026-12-31T17:00:00+07:00 or 2026-12-31T10:00:00Z."""
