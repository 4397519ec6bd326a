"""An empty ledger on each database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.integration.quotas.books import Books, create_tables, open_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def books(engine: Engine) -> Books:
    return Books.open(engine)
