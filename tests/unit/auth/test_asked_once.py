"""What another server says, of which many ask at once, some of whom do not wait."""

import asyncio
from dataclasses import dataclass, field

import pytest

from hpc_portal.auth.asked_once import AskedOnce


class NoAnswer(Exception):
    """As a server gives none."""


@dataclass
class Server:
    """It answers once it is let."""

    works: bool = True
    asked: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> int:
        self.asked += 1
        await self.may_answer.wait()
        if not self.works:
            raise NoAnswer("refused")
        return self.asked


def test_many_wait_for_one_question_and_who_stops_waiting_stops_nobody_else() -> None:
    async def story() -> None:
        server = Server()
        once = AskedOnce(server.ask, NoAnswer)
        hasty, patient, late = (asyncio.create_task(once.get(at_most_seconds_old=60)) for _ in range(3))
        await asyncio.sleep(0)
        hasty.cancel()
        server.may_answer.set()
        assert [await patient, await late] == [1, 1]
        assert hasty.cancelled()
        assert await once.get(at_most_seconds_old=60) == 1
        assert await once.get(at_most_seconds_old=-1) == 2, "older than wanted, so asked for again"

    asyncio.run(story())


def test_the_end_of_a_question_that_nobody_waited_for_is_known() -> None:
    async def story() -> None:
        server = Server(works=False)
        once = AskedOnce(server.ask, NoAnswer)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(once.get(at_most_seconds_old=60), 0.01)
        server.may_answer.set()
        for _ in range(3):
            with pytest.raises(NoAnswer, match="refused"):
                await once.get(at_most_seconds_old=60)
        assert server.asked == 1

    asyncio.run(story())


def test_after_a_moment_it_is_asked_again() -> None:
    async def story() -> None:
        server = Server(works=False)
        server.may_answer.set()
        once = AskedOnce(server.ask, NoAnswer, spared_seconds=0)
        with pytest.raises(NoAnswer):
            await once.get(at_most_seconds_old=60)
        server.works = True
        assert await once.get(at_most_seconds_old=60) == 2

    asyncio.run(story())


def test_closed_it_asks_no_longer() -> None:
    async def story() -> None:
        server = Server()
        once = AskedOnce(server.ask, NoAnswer)
        waiting = asyncio.create_task(once.get(at_most_seconds_old=60))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert server.asked == 1
        await once.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())
