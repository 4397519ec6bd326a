"""Long random stories, with crashes between any two statements; seeded, so that CI tells the same ones."""

from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.pool import StaticPool

from tests.integration.quotas.books import create_tables
from tests.integration.quotas.stories import tell

STEPS = 70
STORIES = 30


@pytest.fixture
def in_memory() -> Iterator[Engine]:
    engine = sqlalchemy.create_engine("sqlite://", poolclass=StaticPool)
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("seed", range(STORIES))
def test_a_long_story_ends_as_the_naive_ledger_says(in_memory: Engine, seed: int) -> None:
    tell(in_memory, seed, steps=STEPS)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_story_ends_so_on_each_database(engine: Engine, seed: int) -> None:
    tell(engine, 1000 + seed, steps=40)


def test_the_stories_do_everything(in_memory: Engine) -> None:
    done: Counter[str] = Counter()
    for seed in (7, 8):
        done.update(tell(in_memory, seed, steps=STEPS))
    assert min(done.values()) > 0, done
