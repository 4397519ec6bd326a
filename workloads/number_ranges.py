"""A range of numbers as people write it in a form: `1..5`, or `0.8..1.2/0.1` with a step."""

import re
from decimal import Decimal

MOST_NUMBERS = 10_000
_NUMBER = r"[-+]?\d{1,15}(?:\.\d{1,15})?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*(?:/\s*({_NUMBER})\s*)?", re.ASCII)


def expand(text: str) -> list[str]:
    """The numbers of a range, its ends among them; the text alone where it is no range, or one too long.

    What is returned as it was is then refused by whoever expects a number.
    """
    found = _RANGE.fullmatch(text)
    if not found:
        return [text]
    first, last, step = (Decimal(part or "1") for part in found.groups())
    if step <= 0 or last < first or (last - first) / step >= MOST_NUMBERS:
        return [text]
    return [f"{first + step * at:f}" for at in range(int((last - first) / step) + 1)]
