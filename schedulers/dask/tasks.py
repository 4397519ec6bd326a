"""Ends a task of the event loop for certain."""

import asyncio
from typing import Any


async def end_task(task: "asyncio.Task[Any]") -> None:
    """Cancel until it is over; what it raised is dropped.

    One cancellation can get lost: on Python 3.11 `asyncio.wait_for` swallows it when what it waits for
    ends at the same moment.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)
    if not task.cancelled():
        task.exception()
