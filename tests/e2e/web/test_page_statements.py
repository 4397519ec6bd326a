"""What pages ask the database for, counted in statements: few, and no more of them on a larger city."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import Engine, event

from hpc_portal.app.services import Services
from hpc_portal.app.wiring import build_services
from hpc_portal.asgi import create_app
from tests.benchmarks.seeded_jobs import seed_jobs
from tests.e2e.web.city import PASSWORD, City, build_city
from tests.e2e.web.every_page import ADMINISTRATOR, LEAD, furnish

MOST = 50
SLACK = 3
"""What is kept in memory for a second may have to be read again."""
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
JOBS = 400
"""With 28 more organisations, 84 projects and 430 people."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """One of this module's own: it grows."""
    return build_city(tmp_path_factory.mktemp("growing"))


@pytest.fixture(scope="module")
def services(city: City) -> Iterator[Services]:
    built = build_services(city.settings)
    yield built
    built.engine.dispose()


def test_no_page_asks_more_of_a_larger_city(city: City, services: Services) -> None:
    looks = furnish(city, services)
    asked = [(look.address, user) for look in looks if look.user for user in {look.user, ADMINISTRATOR}]
    few = asyncio.run(_count(services, asked))
    seed_jobs(services.engine, city, JOBS)
    assert {one: number for one, number in few.items() if number > MOST} == {}
    more = dict.fromkeys(asked, MOST)
    for _ in range(3):  # a slow machine reads more of what is kept for a second: ask those pages again
        counted = asyncio.run(_count(services, list(more)))
        more = {one: number for one, number in counted.items() if number > few[one] + SLACK}
    assert {one: (few[one], number) for one, number in more.items()} == {}


def test_pages_are_compressed_and_no_two_replies_have_the_same_token(services: Services) -> None:
    async def ask() -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        async with _client(services) as client:
            await _sign_in(client, LEAD)
            plain = await client.get("/jobs", headers={"accept-encoding": "identity"})
            return plain, await client.get("/jobs"), await client.get("/jobs")

    plain, first, second = asyncio.run(ask())
    assert "content-encoding" not in plain.headers
    assert first.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in first.headers["vary"]
    assert int(first.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    tokens = [TOKEN.findall(answer.text)[0] for answer in (plain, first, second)]
    assert len(set(tokens)) == len(tokens), "or a guess in the address could be told from the length"


async def _count(services: Services, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    found = {}
    async with _client(services) as client:
        for user in sorted({user for _, user in asked}):
            client.cookies.clear()
            await _sign_in(client, user)
            for address in sorted({address for address, who in asked if who == user}):
                found[address, user] = min(
                    [await _statements(services.engine, client, address) for _ in range(2)]
                )
    return found


async def _statements(engine: Engine, client: httpx.AsyncClient, address: str) -> int:
    with _counted(engine) as statements:
        answer = await client.get(address)
    assert answer.status_code < 500, address
    return len(statements)


@contextmanager
def _counted(engine: Engine) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*told: object) -> None:
        statements.append(str(told[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def _client(services: Services) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(services))
    return httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=60)


async def _sign_in(client: httpx.AsyncClient, user: str) -> None:
    answer = await client.post("/sign-in", data={"username": user, "password": PASSWORD})
    assert answer.status_code == 303
