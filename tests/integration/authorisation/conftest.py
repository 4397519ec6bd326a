"""The stage on which every decision is tried, made once in each test process."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hpc_portal.asgi import create_app
from tests.databases import PORTAL_TABLES, sqlite_file
from tests.in_process import Call
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.city import Stage
from tests.integration.authorisation.examples import EXAMPLES
from tests.integration.authorisation.people import bring_people, identities
from tests.integration.authorisation.things import bring_things
from tests.postgres import PostgresServer
from tests.small_city import build_city


@dataclass(frozen=True)
class StoppedClock:
    """It stands still: a token that was used is noted no second time."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Set:
    """The stage, and what stands for its things in addresses."""

    stage: Stage
    parameters: dict[str, str]


ON_BOTH = pytest.mark.parametrize(
    "scenery", ["sqlite", *(["postgresql"] if EXAMPLES > 1 else [])], indirect=True, scope="session"
)
"""`make fuzz` calls on both kinds of database; to bring one of PostgreSQL back takes as long as ten calls."""


@pytest.fixture(scope="session")
def scenery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    folder = tmp_path_factory.mktemp("authorisation")
    if getattr(request, "param", "sqlite") == "sqlite":
        file = folder / "portal.db"
        file.write_bytes(sqlite_file(PORTAL_TABLES))
        yield from _furnished(f"sqlite:///{file}", folder)
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(PORTAL_TABLES) as url:
            yield from _furnished(url, folder)


def _furnished(url: str, folder: Path) -> Iterator[Set]:
    city = build_city(url, folder, clock=StoppedClock(datetime.now(UTC)))
    open_data = city.services.settings.model_copy(update={"open_data": True})
    city = replace(city, services=replace(city.services, settings=open_data))
    app = create_app(city.services)
    actors = bring_people(city)
    with asyncio.Runner() as runner:
        stage = Stage(city, app, runner, identities(city, app, actors), actors)
        parameters = bring_things(stage)
        for person in Person:
            stage.call(person, Call("GET", "/api/v1/me"))  # notes the first use of tokens
        stage.keep()
        yield Set(stage, parameters)
        stage.close()
    city.services.commits.close()
    city.services.engine.dispose()


@pytest.fixture
def set_(scenery: Set) -> Iterator[Set]:
    """As it was at first, whatever the test before did."""
    scenery.stage.reset()
    yield scenery
    scenery.stage.reset()
