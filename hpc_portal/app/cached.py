"""A value read from the database that may be a second old: for what changes rarely and is asked for often."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")


class Cached(Generic[T]):
    """Reads at most once a second. Errors are not kept."""

    def __init__(
        self, engine: Engine, load: Callable[[Connection], T], *, max_age_seconds: float = 1.0
    ) -> None:
        self._engine = engine
        self._load = load
        self._max_age = max_age_seconds
        self._kept: tuple[float, T] | None = None

    def get(self) -> T:
        """The value, at most `max_age_seconds` old."""
        now = time.monotonic()
        if self._kept and now - self._kept[0] < self._max_age:
            return self._kept[1]
        with self._engine.connect() as connection:
            value = self._load(connection)
        self._kept = (now, value)
        return value
