"""The stage on which every decision is tried, made once in each test process."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from hpc_portal.asgi import create_app
from tests.databases import PORTAL_TABLES, sqlite_file
from tests.in_process import Call
from tests.integration.authorisation.cast import Person
from tests.integration.authorisation.city import Stage
from tests.integration.authorisation.people import bring_people, identities
from tests.integration.authorisation.things import bring_things
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


@pytest.fixture(scope="session")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    folder = tmp_path_factory.mktemp("authorisation")
    file = folder / "portal.db"
    file.write_bytes(sqlite_file(PORTAL_TABLES))
    city = build_city(f"sqlite:///{file}", folder, clock=StoppedClock(datetime.now(UTC)))
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
