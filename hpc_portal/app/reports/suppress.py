"""Which cells of a published row may be shown, so that no few organisations can be told apart: pure.

A row is one measure of one month, cut by sector; its total is public, or follows from other figures such
as utilisation. A cell shows nothing when fewer than `LEAST` organisations are in it. What is not shown is
then still known as a sum, the total less all that is shown: so further cells are hidden, the smallest
first, until that sum, too, comes from at least `LEAST` organisations (complementary suppression).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

LEAST = 5
"""Organisations in anything that is published."""

Key = TypeVar("Key", bound=str)


@dataclass(frozen=True, slots=True)
class Shown(Generic[Key]):
    """What of a row may be published."""

    cells: frozenset[Key]
    total: bool


def suppress(organisations: Mapping[Key, int]) -> Shown[Key]:
    """What may be shown of a row.

    An empty cell is hidden, too: "nothing" is also a fact about the few who could have used something.

    Args:
        organisations: how many contribute to each cell; nobody contributes to two.
    """
    if sum(organisations.values()) < LEAST:
        return Shown(frozenset(), total=False)
    shown = sorted((key for key, count in organisations.items() if count >= LEAST), key=str)
    shown.sort(key=lambda key: organisations[key], reverse=True)
    hidden = [key for key in organisations if key not in shown]
    while hidden and shown and sum(organisations[key] for key in hidden) < LEAST:
        hidden.append(shown.pop())
    return Shown(frozenset(shown), total=True)
