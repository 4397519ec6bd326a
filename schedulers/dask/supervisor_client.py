"""A connection to a node's supervisor, for asyncio."""

import asyncio
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from schedulers.dask.start_supervisor import SupervisorUnavailable, connect

_MAX_LINE_BYTES = 1 << 30


class SupervisorClient:
    """Requests with replies, and pushes to a callback; once lost it stays lost."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_push: Callable[[dict[str, Any]], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_push = on_push
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, path: Path, on_push: Callable[[dict[str, Any]], None]) -> Self:
        """Connect to a socket.

        Raises:
            SupervisorUnavailable: nobody listens there.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connect(path), limit=_MAX_LINE_BYTES)
        except OSError as problem:
            raise SupervisorUnavailable(f"No supervisor listens at {path}.") from problem
        return cls(reader, writer, on_push)

    async def request(self, operation: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
        """Ask, and wait for the answer.

        Raises:
            SupervisorUnavailable: the connection was lost; the request may or may not have been carried out.
            ValueError: the supervisor could not make sense of the request.
        """
        if self._listening.done():
            raise SupervisorUnavailable("The supervisor has hung up.")
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": number, "op": operation, **fields}).encode() + b"\n")
        return await answer

    async def lost(self) -> None:
        """Wait until the connection is gone."""
        await asyncio.wait([self._listening])

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        self._listening.cancel()
        await asyncio.wait([self._listening])

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._hear(json.loads(line))
        except ConnectionError:
            pass
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(SupervisorUnavailable("The supervisor has hung up."))
            self._writer.close()

    def _hear(self, message: dict[str, Any]) -> None:
        if "push" in message:
            self._on_push(message["push"])
            return
        answer = self._waiting.pop(message["id"])
        if answer.done():  # whoever asked waits no more
            return
        if "error" in message:
            answer.set_exception(ValueError(message["error"]))
        else:
            answer.set_result(message["result"])
