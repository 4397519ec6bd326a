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

    @property
    def is_fresh(self) -> bool:
        """Whether `get` would answer without asking the database."""
        return self._kept is not None and time.monotonic() - self._kept[0] < self._max_age

    def get(self) -> T:
        """The value, at most `max_age_seconds` old."""
        kept = self._kept
        if kept and time.monotonic() - kept[0] < self._max_age:
            return kept[1]
        read_at = time.monotonic()
        with self._engine.connect() as connection:
            value = self._load(connection)
        self._kept = (read_at, value)
        return value
