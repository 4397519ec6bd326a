"""Amounts that follow from parameters: so many MiB for each core, so many licences for an effort; pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from workloads.site.words import Words


class Amount(BaseModel):
    """`base`, plus `each` parameter's value times a number, plus what `by` says for its choice.

    A list counts its items, files count themselves, yes is 1. A plain number in the document is a base alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: int = Field(default=0, ge=0)
    each: dict[str, int] = Field(default_factory=dict)
    by: dict[str, dict[str, int]] = Field(default_factory=dict)
    minimum: int | None = Field(default=None, ge=0)
    maximum: int | None = Field(default=None, ge=1)
    locked: bool = False
    why: Words | None = None
    """The reason, shown beside the field."""

    @property
    def is_constant(self) -> bool:
        """Whether no parameter changes it."""
        return not self.each and not self.by

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that it follows from."""
        return (*self.each, *self.by)

    def reckon(self, values: Mapping[str, Any]) -> int:
        """The amount for these values of the parameters, within its bounds."""
        total = self.base
        total += sum(factor * _count(values[name]) for name, factor in self.each.items())
        total += sum(table.get(str(values[name]), 0) for name, table in self.by.items())
        if self.maximum is not None:
            total = min(total, self.maximum)
        return max(total, self.minimum or 0)


def amount_of(raw: Any) -> Any:  # noqa: ANN401 - whatever the document holds
    """A plain number is a base."""
    return {"base": raw} if isinstance(raw, int) and not isinstance(raw, bool) else raw


def _count(value: object) -> int:
    match value:
        case bool() | int():
            return int(value)
        case list() | tuple() | dict():
            return len(value)
    return 1 if value else 0
