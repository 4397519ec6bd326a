"""What all bodies and replies of the API share: snake case, units in names, instants in UTC."""

import math
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

T = TypeVar("T")

Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
"""Text without the one character that databases cannot store."""

Number = Annotated[
    float | None,
    BeforeValidator(lambda value: value if value is not None and math.isfinite(value) else None),
]
"""A measured number; null where it is infinite or not a number, which JSON cannot say."""


class Body(BaseModel):
    """What a client sends: a misspelt field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


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
