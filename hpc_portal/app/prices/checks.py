"""Which prices make sense; what is refused here changes nothing."""

from collections.abc import Sequence

from hpc_portal.app.errors import InvalidEntry, Problem
from quotas.pricing import PriceItem

DEAREST_VND_PER_HOUR = 10**12
"""A million millions for an hour of anything is a slip of the pen, and sums stay far from 64 bits."""
_LONGEST_PARTITION = 64


def require_prices(items: Sequence[PriceItem]) -> None:
    """Let pass prices that a list may have; names and signs were checked when they were made.

    Raises:
        InvalidEntry: there are none, or one is beyond all reason; every problem is listed.
    """
    problems = [] if items else [Problem("items", "Give at least one price.")]
    for item in items:
        if item.rate_vnd_per_hour > DEAREST_VND_PER_HOUR:
            problems.append(Problem(item.tres, "This is more than 1.000.000.000.000 ₫ for an hour."))
        if item.partition is not None and not 1 <= len(item.partition) <= _LONGEST_PARTITION:
            problems.append(Problem(item.tres, "A partition's name has 1 to 64 characters."))
    if problems:
        raise InvalidEntry(problems)
