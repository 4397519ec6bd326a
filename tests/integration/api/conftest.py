"""A small city behind a real web server, and its people as HTTP clients."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from hpc_portal.app.accounts.issue_token import issue_token
from hpc_portal.app.actor import Actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.event_hub import EventHub
from hpc_portal.asgi import create_app
from tests.small_city import City, build_city


@dataclass(frozen=True)
class Portal:
    """A running web process."""

    city: City
    url: str
    app: FastAPI

    @property
    def hub(self) -> EventHub:
        """The process's reader of job events."""
        found: EventHub = self.app.state.event_hub
        return found

    def client(self, actor: Actor | None = None, **headers: str) -> httpx.Client:
        """A client that shows this person's token; without a person, a stranger's."""
        if actor is not None:
            headers["authorization"] = f"Bearer {self.token_of(actor)}"
        return httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=30,
            verify=False,  # noqa: S501 - plain HTTP; to read all certificates takes 20 ms for each client
            trust_env=False,
        )

    def token_of(self, actor: Actor) -> str:
        """A new token of this person."""
        return issue_token(self.city.services, actor, name="test").secret


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    """Once on SQLite, once on PostgreSQL."""
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


@pytest.fixture
def portal(city: City) -> Iterator[Portal]:
    """The portal's web process as a thread, on a free port."""
    with serving(city) as found:
        yield found


@contextmanager
def serving(city: City, **settings: Any) -> Iterator[Portal]:  # noqa: ANN401 - settings of any kind
    """The same, with other settings than the city's where some are named."""
    services = city.services
    if settings:
        services = replace(services, settings=services.settings.model_copy(update=settings))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(services)
        config = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Portal(city, f"http://127.0.0.1:{listener.getsockname()[1]}", app)
        finally:
            server.should_exit = True
            thread.join(30)
        assert not thread.is_alive()
