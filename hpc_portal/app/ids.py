"""UUIDs that grow with time (RFC 9562, version 7): good keys for lists that page by age."""

import os
import threading
import time
from datetime import datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """A UUIDv7; strictly rising within this process, so that equal milliseconds keep their order."""
    global _last  # noqa: PLW0603 - the last value is the state that makes ids rise
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    with _lock:
        if value <= _last:
            value = _last + 1
        _last = value
    return UUID(int=value)


def first_id_at(at: datetime) -> UUID:
    """The smallest id that could be made at this instant: turns "submitted after" into a range of keys."""
    milliseconds = max(0, int(at.timestamp() * 1000))
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)
