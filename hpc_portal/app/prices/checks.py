"""Which prices make sense; what is refused here changes nothing."""

from collections.abc import Sequence

from hpc_portal.app.errors import InvalidEntry, Problem
from quotas.pricing import PriceItem

_LONGEST_PARTITION = 64


def require_prices(items: Sequence[PriceItem]) -> None:
    """Let pass prices that a list may have; names and rates were checked when they were made.

    Raises:
        InvalidEntry: there are none, or a partition's name makes no sense; every problem is listed.
    """
    problems = [] if items else [Problem("items", "Give at least one price.")]
    problems += [
        Problem(item.tres, "A partition's name has 1 to 64 characters.")
        for item in items
        if item.partition is not None and not 1 <= len(item.partition) <= _LONGEST_PARTITION
    ]
    if problems:
        raise InvalidEntry(problems)
