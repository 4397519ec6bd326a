"""A value read from the database that may be a second old: for what changes rarely and is asked for often."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine

from hpc_portal.app.clock import Clock
from hpc_portal.app.db import reading

T = TypeVar("T")


class Cached(Generic[T]):
    """Reads at most once a second, by the portal's clock and by the machine's. Errors are not kept."""

    def __init__(
        self,
        engine: Engine,
        load: Callable[[Connection], T],
        *,
        clock: Clock,
        max_age_seconds: float = 1.0,
    ) -> None:
        self._engine = reading(engine)
        self._load = load
        self._clock = clock
        self._max_age = max_age_seconds
        self._kept: tuple[float, datetime, T] | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether `get` would answer without asking the database."""
        return self._kept is not None and self._is_young(self._kept)

    def get(self) -> T:
        """The value, at most `max_age_seconds` old."""
        kept = self._kept
        if kept and self._is_young(kept):
            return kept[2]
        read_at, now = time.monotonic(), self._clock.now()
        with self._engine.connect() as connection:
            value = self._load(connection)
        self._kept = (read_at, now, value)
        return value

    def forget(self) -> None:
        """Read it anew the next time: somebody knows that it has changed."""
        self._kept = None

    def _is_young(self, kept: tuple[float, datetime, T]) -> bool:
        """A machine that slept, or a test that moved the time, must not go on with yesterday's prices."""
        read_at, at, _ = kept
        passed = abs((self._clock.now() - at).total_seconds())
        return max(time.monotonic() - read_at, passed) < self._max_age
