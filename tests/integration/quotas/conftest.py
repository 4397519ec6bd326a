"""An empty ledger on each database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.databases import Tables
from tests.integration.quotas.books import Books, create_tables, open_engine

QUOTA_TABLES = Tables(create_tables)


@pytest.fixture
def tables() -> Tables:
    """Nothing of the portal's other packages."""
    return QUOTA_TABLES


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def books(engine: Engine) -> Books:
    return Books.open(engine)
