"""Something that another server says: asked for once, however many wait for it, and kept for a while."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_SPARED_SECONDS = 10.0
"""After a failure nobody waits for another one for so long."""


class AskedOnce(Generic[T]):
    """Who stops to wait stops nobody else, and not the question: its end is known to whoever comes next."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        failure: type[Exception],
        *,
        spared_seconds: float = _SPARED_SECONDS,
    ) -> None:
        """`ask` raises `failure` when there is no answer; it is made of a text."""
        self._ask = ask
        self._failure = failure
        self._spared_seconds = spared_seconds
        self._kept: tuple[float, T] | None = None
        self._failed: tuple[float, str] | None = None
        self._asking: asyncio.Task[T] | None = None

    async def get(self, *, at_most_seconds_old: float) -> T:
        """What was said last, or says the other server now.

        Raises:
            Exception: of the kind of `failure`; also at once, where asking has just failed.
        """
        if self._kept and time.monotonic() - self._kept[0] <= at_most_seconds_old:
            return self._kept[1]
        if self._asking is None:
            if self._failed and time.monotonic() - self._failed[0] < self._spared_seconds:
                raise self._failure(self._failed[1])
            self._asking = asyncio.create_task(self._note())
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Stop asking."""
        if self._asking:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, self._failure):
                await self._asking

    async def _note(self) -> T:
        try:
            said = await self._ask()
        except self._failure as problem:
            self._failed = (time.monotonic(), str(problem))
            raise
        else:
            self._kept = (time.monotonic(), said)
            return said
        finally:
            self._asking = None
