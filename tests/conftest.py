"""Fixtures of every suite: a fresh database of each kind that the portal supports, and a Slurm cluster."""

import gc
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from scripts.slurm_cluster.instance import Instance
from tests.compiled_once import compile_once
from tests.databases import PORTAL_TABLES, Tables, sqlite_file
from tests.order import spread_groups
from tests.postgres import PostgresServer, running_server
from tests.slurm import group_by_module, running_cluster, settle

settings.register_profile("portal", deadline=None)  # a loaded machine is no defect
settings.load_profile("portal")
compile_once()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Before xdist, which reads the marks in this same hook."""
    group_by_module(items)
    if hasattr(config, "workerinput"):
        spread_groups(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests stay to the end: to look for garbage among them took a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Started by the first test of this process that needs it; a machine without PostgreSQL fails."""
    with running_server() as server:
        yield server


@pytest.fixture
def tables() -> Tables | None:
    """What `database_url` has from the start; a test that wants others or none has a fixture so named."""
    return PORTAL_TABLES


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, tables: Tables | None) -> Iterator[str]:
    """A PostgreSQL database of this test's own, with `tables` and no row."""
    with postgres_server.database(tables) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, tables: Tables | None) -> str:
    """A database of this test's own, with `tables` and no row; the test runs once on each kind."""
    if request.param == "sqlite":
        file = tmp_path / "portal.db"
        if tables:
            file.write_bytes(sqlite_file(tables))
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Instance]:
    """Started by the first test that needs it; a machine where it cannot start fails."""
    with running_cluster() as instance:
        yield instance


@pytest.fixture
def slurm(slurm_cluster: Instance) -> Instance:
    """The cluster with all daemons up, no job and every node idle, whatever the test before did to it."""
    settle(slurm_cluster)
    return slurm_cluster
