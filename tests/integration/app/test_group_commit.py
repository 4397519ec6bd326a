"""Work that shares a commit stands or falls alone."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from hpc_portal.app.db import create_engine, transact
from hpc_portal.app.group_commit import GroupCommit


@pytest.fixture
def tables() -> None:
    """Each test makes its own."""


def insert(value: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO note (value) VALUES (:value)"), {"value": value})
        if value < 0:
            message = f"{value} is negative"
            raise ValueError(message)
        return value

    return work


def test_one_failure_takes_nobody_else_with_it(database_url: str) -> None:
    engine = create_engine(database_url)
    transact(engine, lambda connection: connection.execute(text("CREATE TABLE note (value INTEGER)")))

    async def story() -> list[int | BaseException]:
        commits = GroupCommit(engine)
        values = [*range(30), -1, *range(30, 60)]
        results = await asyncio.gather(*(commits.run(insert(v)) for v in values), return_exceptions=True)
        commits.close()
        return results

    results = asyncio.run(story())
    assert [result for result in results if isinstance(result, int)] == list(range(60))
    assert sum(isinstance(result, ValueError) for result in results) == 1
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT value FROM note ORDER BY value")).scalars().all()
    assert stored == list(range(60))
    engine.dispose()


def test_a_failure_is_told_to_who_caused_it(database_url: str) -> None:
    engine = create_engine(database_url)
    transact(engine, lambda connection: connection.execute(text("CREATE TABLE note (value INTEGER)")))
    commits = GroupCommit(engine)
    with pytest.raises(ValueError, match="-5 is negative"):
        asyncio.run(commits.run(insert(-5)))
    commits.close()
    engine.dispose()
