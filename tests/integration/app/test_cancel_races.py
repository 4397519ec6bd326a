"""A wish to cancel that meets the end of its job."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text, update
from sqlmodel import col

from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.tables import Job, JobEvent
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


def test_a_job_that_ends_while_its_cancellation_is_asked_for_is_not_cancelled(story: Story) -> None:
    engine = story.city.services.engine
    if engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time: it cannot happen")
    job_id = story.submit(spec())
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as connection:
            connection.execute(update(Job).where(col(Job.id) == job_id).values(phase=Phase.ENDED))
            asked = pool.submit(request_cancel, story.city.services, story.city.chips.member, [job_id])
            deadline = time.monotonic() + 30
            while not connection.execute(_WAITING).scalar() and time.monotonic() < deadline:
                time.sleep(0.02)
        assert asked.result(30) == []
    assert story.job(job_id).cancel_requested_at is None
    with engine.connect() as connection:
        wishes = select(func.count()).where(col(JobEvent.kind) == "job.cancel_requested")
        assert connection.execute(wishes).scalar() == 0
