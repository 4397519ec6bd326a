"""What all bodies and replies of the API share: snake case, units in names, instants in UTC."""

import math
from collections.abc import Mapping
from typing import Annotated, Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

from hpc_portal.app.reason import LONGEST_REASON

T = TypeVar("T")

Text = Annotated[str, StringConstraints(max_length=1000)]
"""A line or so."""

Reason = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_REASON)]
"""For people: some words, not a book."""

Number = Annotated[
    float | None,
    BeforeValidator(lambda value: value if value is not None and math.isfinite(value) else None),
]
"""A measured number; null where it is infinite or not a number, which JSON cannot say."""


class Body(BaseModel):
    """What a client sends: a misspelt field is an error, not ignored, and so is a NUL character."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _refuse_nul(self) -> Self:
        for name in self.model_fields_set:
            if _has_nul(getattr(self, name)):
                message = f"{name}: remove the NUL character"
                raise ValueError(message)
        return self


class ReasonBody(Body):
    """Why something is done; people read it, and it is kept for good."""

    reason: Reason


def _has_nul(value: object) -> bool:
    """Of text and of lists and objects of it; bodies inside of bodies look for themselves."""
    match value:
        case str():
            return "\0" in value
        case Mapping():
            return any(_has_nul(part) for pair in value.items() for part in pair)
        case list() | tuple():
            return any(map(_has_nul, value))
        case _:
            return False


class Reply(BaseModel):
    """What we answer, read from the application's own records."""

    model_config = ConfigDict(from_attributes=True)


class PageReply(Reply, Generic[T]):
    """Part of a list; give `next_cursor` back as `cursor` for what follows, null at the end."""

    items: list[T]
    next_cursor: str | None = None


class ListReply(Reply, Generic[T]):
    """A list that is short enough to be whole."""

    items: list[T]


class CreatedReply(Reply):
    """The id of what was created."""

    id: UUID
