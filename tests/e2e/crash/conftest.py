"""Where crash tests keep a portal."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpc_portal.app.clock import SystemClock
from tests.small_city import City, build_city

CLUSTER = "crashes"
OpenCity = Callable[[str], City]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets live below it."""
    path = Path(tempfile.mkdtemp(prefix="hpc-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def open_city(folder: Path) -> Iterator[OpenCity]:
    """The small city in the database of this URL; our own connections to it are closed at the end."""
    cities: list[City] = []

    def opened(url: str) -> City:
        cities.append(build_city(url, folder, clock=SystemClock(), cluster_name=CLUSTER))
        return cities[-1]

    yield opened
    for city in cities:
        city.services.commits.close()
        city.services.engine.dispose()
