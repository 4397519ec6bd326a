"""UUIDs that grow with time (RFC 9562, version 7): good keys for lists that page by age."""

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_DRAW = 256
_BYTES = 10
_lock = threading.Lock()
_last = 0
_drawn: list[bytes] = []
"""Random bytes for the next ids. Asking the kernel lets another thread go first, for milliseconds."""

os.register_at_fork(after_in_child=_drawn.clear)  # two processes must not make the same ids


def new_id() -> UUID:
    """A UUIDv7; strictly rising within this process, so that equal milliseconds keep their order."""
    global _last  # noqa: PLW0603 - the last value is the state that makes ids rise
    milliseconds = time.time_ns() // 1_000_000
    with _lock:
        if not _drawn:
            drawn = os.urandom(_DRAW * _BYTES)
            _drawn.extend(drawn[start : start + _BYTES] for start in range(0, len(drawn), _BYTES))
        random = int.from_bytes(_drawn.pop(), "big")
        value = (
            milliseconds << 80
            | 0x7 << 76
            | (random >> 68 & 0xFFF) << 64
            | 0b10 << 62
            | random & (1 << 62) - 1
        )
        if value <= _last:
            value = _last + 1
        _last = value
    return UUID(int=value)


def first_id_at(at: datetime) -> UUID:
    """The smallest id that could be made at this instant: turns "submitted after" into a range of keys."""
    milliseconds = max(0, int(at.timestamp() * 1000))
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)


def made_at(identifier: UUID) -> datetime:
    """When an id of `new_id` was made, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)
