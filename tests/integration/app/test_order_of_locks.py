"""Whoever changes jobs locks them before its turn at recording events; else two of them deadlock.

PostgreSQL ends one of two that do, but only after a second in which nobody else records an event.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, event

from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.change import request_change
from hpc_portal.app.jobs.lifecycle import Phase
from schedulers.jobspec import ArraySpec
from schedulers.memory import DEFAULT_FEATURES, SubmitScenario
from schedulers.protocol import Feature, HoldJob, ReleaseJob, RequeueJob, SetWalltime
from tests.integration.app.conftest import Story
from tests.integration.app.test_corrections import compare, corrections, revise
from tests.integration.app.test_job_life import spec

TURN = "pg_advisory_xact_lock"


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """SQLite has one writer, who waits for nobody."""
    return postgres_url


@pytest.fixture
def features() -> frozenset[Feature]:
    """Of a scheduler that is not its own meter, so that runs are corrected."""
    return DEFAULT_FEATURES - {Feature.METERS_USAGE}


@pytest.fixture
def order(story: Story) -> Iterator[list[str]]:
    """Statements that lock a job although the transaction has its turn, and locked none before."""
    late: list[str] = []
    locks: dict[int, list[str]] = {}

    def begin(connection: Connection) -> None:
        locks[id(connection)] = []

    def note(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        mine = locks.setdefault(id(connection), [])
        if TURN in statement:
            mine.append(TURN)
        elif _locks_jobs(statement):
            if TURN in mine and "job" not in mine:
                late.append(statement)
            mine.append("job")

    engine = story.city.services.engine
    event.listen(engine, "begin", begin)
    event.listen(engine, "before_cursor_execute", note)
    yield late
    event.remove(engine, "before_cursor_execute", note)
    event.remove(engine, "begin", begin)


def _locks_jobs(statement: str) -> bool:
    words = " ".join(statement.split())
    return words.startswith("UPDATE job SET") or ("FROM job" in words and " FOR " in words)


def test_every_step_of_a_job_s_life_locks_jobs_before_its_turn(story: Story, order: list[str]) -> None:
    member, services = story.city.chips.member, story.city.services
    changed = story.submit(spec("changed"))
    array = story.submit(spec("array", array=ArraySpec(expression="0-2")))
    cancelled = story.submit(spec("cancelled"))
    story.step()
    for change in (HoldJob(), ReleaseJob(), SetWalltime(7200), RequeueJob()):
        request_change(services, member, [changed, array], change)
        story.step()
    request_cancel(services, member, [cancelled])
    story.scheduler.advance(60)
    story.scheduler.finish_all(exit_code=1)
    story.step()
    story.scheduler.scenario = SubmitScenario.REFUSE
    refused = story.submit(spec("refused"))
    story.step()
    story.step()
    revise(story, changed, elapsed_seconds=600)
    compare(story)
    assert corrections(story, changed)
    phases = [story.job(job_id).phase for job_id in (changed, array, cancelled, refused)]
    assert phases == [Phase.SETTLED] * 3 + [Phase.REFUSED]
    assert order == []
