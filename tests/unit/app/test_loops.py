"""How background steps are run."""

import asyncio

import pytest

from hpc_portal.app.leases import LeaseLost
from hpc_portal.app.loops import Loop, run_loop


def test_a_wake_up_runs_the_step_long_before_its_interval() -> None:
    async def story() -> int:
        stop, ran, steps = asyncio.Event(), asyncio.Event(), 0

        async def step() -> bool:
            nonlocal steps
            steps += 1
            ran.set()
            return False

        loop = Loop("sleepy", step, interval_seconds=3600)
        running = asyncio.create_task(run_loop(loop, stop))
        for _ in range(3):
            await ran.wait()
            ran.clear()
            loop.wake.set()
        await ran.wait()
        stop.set()
        await running
        return steps

    assert asyncio.run(story()) >= 4


def test_a_wake_up_during_the_step_is_not_lost() -> None:
    async def story() -> int:
        stop, steps = asyncio.Event(), 0

        async def step() -> bool:
            nonlocal steps
            steps += 1
            if steps == 1:
                loop.wake.set()
            else:
                stop.set()
            return False

        loop = Loop("interrupted", step, interval_seconds=3600)
        await run_loop(loop, stop)
        return steps

    assert asyncio.run(story()) == 2


def test_a_failing_step_is_tried_again() -> None:
    async def story() -> int:
        stop, steps = asyncio.Event(), 0

        async def step() -> bool:
            nonlocal steps
            steps += 1
            if steps < 3:
                message = "not yet"
                raise OSError(message)
            stop.set()
            return False

        await run_loop(Loop("stubborn", step, interval_seconds=0.01), stop)
        return steps

    assert asyncio.run(story()) == 3


def test_a_lost_lease_ends_the_loop() -> None:
    async def step() -> bool:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        asyncio.run(run_loop(Loop("former", step, interval_seconds=0.01), asyncio.Event()))


def test_stop_lets_the_step_under_way_finish() -> None:
    async def story() -> bool:
        stop, began, finished = asyncio.Event(), asyncio.Event(), False

        async def step() -> bool:
            nonlocal finished
            began.set()
            await asyncio.sleep(0.05)
            finished = True
            return True

        running = asyncio.create_task(run_loop(Loop("thorough", step, interval_seconds=0.01), stop))
        await began.wait()
        stop.set()
        await running
        return finished

    assert asyncio.run(story())


@pytest.mark.parametrize("turns", range(8))
def test_a_loop_that_is_cancelled_ends_whatever_it_is_at(turns: int) -> None:
    """A controller that lost its lease cancels its loops once; one that goes on keeps it from standing by."""

    async def story() -> bool:
        stop, steps = asyncio.Event(), asyncio.Event()

        async def step() -> bool:
            steps.set()
            return False

        loop = Loop("woken", step, interval_seconds=3600)
        running = asyncio.create_task(run_loop(loop, stop))
        await steps.wait()
        await asyncio.sleep(0.01)
        loop.wake.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running], timeout=5)
        has_ended = running.cancelled()
        stop.set()
        await asyncio.wait([running])
        return has_ended

    assert asyncio.run(story())


@pytest.mark.parametrize(("step", "pause"), [(0.0, 0.3), (0.05, 0.3), (0.1, 0.4), (0.2, 0.8), (7.0, 1.0)])
def test_steps_that_are_short_follow_each_other_sooner(step: float, pause: float) -> None:
    async def never() -> bool:
        raise AssertionError

    assert Loop("eager", never, 1.0, least_pause_seconds=0.3).pause_after(step) == pytest.approx(pause)
    assert Loop("calm", never, 1.0).pause_after(step) == 1.0
