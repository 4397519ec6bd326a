"""One listener for the controllers of all clusters: each hears every wake-up, whoever comes and goes."""

import asyncio
from pathlib import Path

from hpc_portal.app.wake import SharedWake, SocketWake


async def hears(wake: SocketWake, event: asyncio.Event) -> None:
    """Wake until it is heard: the listener may still be opening its socket."""
    async with asyncio.timeout(30):
        while not event.is_set():
            wake.notify()
            await asyncio.sleep(0.01)


async def leave(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def test_all_controllers_of_a_process_hear_every_wake_up(tmp_path: Path) -> None:
    async def story() -> None:
        wake = SocketWake(tmp_path / "wake.sock")
        shared = SharedWake(wake)
        first, second = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(shared.listen(event)) for event in (first, second)]
        await hears(wake, first)
        await hears(wake, second)
        await leave(tasks[0])
        second.clear()
        await hears(wake, second)
        await leave(tasks[1])

    asyncio.run(story())


def test_one_that_comes_as_the_last_one_leaves_is_not_taken_along(tmp_path: Path) -> None:
    async def story() -> None:
        wake = SocketWake(tmp_path / "wake.sock")
        shared = SharedWake(wake)
        first, second = asyncio.Event(), asyncio.Event()
        leaving = asyncio.create_task(shared.listen(first))
        await hears(wake, first)
        leaving.cancel()
        coming = asyncio.create_task(shared.listen(second))
        await hears(wake, second)
        assert not coming.done()
        await leave(coming)

    asyncio.run(story())
