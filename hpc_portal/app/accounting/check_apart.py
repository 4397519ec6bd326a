"""The check of the books in a process of its own: to read every entry takes CPU that the loops need.

Started as `python -m`, it reads what to check from its standard input, so that no password is seen in a list
of processes, and writes what it found to its standard output.
"""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import TypeAdapter
from sqlalchemy import Engine

from hpc_portal.app.accounting.check_books import BooksChecked, check_books
from hpc_portal.app.db import create_engine

_NICENESS = 10


@dataclass(frozen=True, slots=True)
class _Order:
    url: str
    days: Sequence[date]


_ORDER, _CHECKED = TypeAdapter(_Order), TypeAdapter(BooksChecked)


async def check_apart(engine: Engine, days: Sequence[date], stop: asyncio.Event) -> BooksChecked | None:
    """As `check_books`; None when `stop` is set before it is done.

    Raises:
        ChildProcessError: it ended without an answer; what it said is in the log.
    """
    order = _Order(engine.url.render_as_string(hide_password=False), days)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE)
    answering = asyncio.ensure_future(process.communicate(_ORDER.dump_json(order)))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            return None
        answer, _ = answering.result()
    finally:
        stopping.cancel()
        if not answering.done():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await answering
    if process.returncode:
        message = f"the check of the books ended with {process.returncode}"
        raise ChildProcessError(message)
    return _CHECKED.validate_json(answer)


def main() -> None:
    """Check what standard input asks for."""
    os.nice(_NICENESS)
    order = _ORDER.validate_json(sys.stdin.buffer.read())
    engine = create_engine(order.url)
    try:
        checked = check_books(engine, days=order.days)
    finally:
        engine.dispose()
    sys.stdout.buffer.write(_CHECKED.dump_json(checked))


if __name__ == "__main__":
    main()
