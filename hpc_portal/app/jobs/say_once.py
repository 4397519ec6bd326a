"""Log lines that a loop would repeat every few seconds, each said once for as long as nothing changes."""

from collections import OrderedDict
from typing import Any
from uuid import UUID

import structlog

log = structlog.get_logger()

_MOST = 10_000


class SaidBefore:
    """What was said last of each thing; forgets what was said longest ago."""

    def __init__(self) -> None:
        self._said: OrderedDict[UUID, tuple[str, frozenset[tuple[str, Any]]]] = OrderedDict()

    def warn(self, about: UUID, event: str, **facts: str) -> None:
        """Log a warning about a job or a budget, unless the same was the last that was said of it."""
        saying = event, frozenset(facts.items())
        if self._said.get(about) == saying:
            return
        self._said[about] = saying
        self._said.move_to_end(about)
        if len(self._said) > _MOST:
            self._said.popitem(last=False)
        log.warning(event, **facts)
