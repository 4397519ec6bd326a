"""A controller that sleeps or is slow, a scheduler that forgets: nothing is sent twice, nothing is lost."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hpc_portal.app import leases
from hpc_portal.app.db import transact
from hpc_portal.app.files.workspace import prepare_workspace
from hpc_portal.app.jobs.cancel import CancelStep, request_cancel
from hpc_portal.app.jobs.dispatch import dispatch_once
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.leases import LeaseLost
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState
from schedulers.protocol import Submission, SubmitOutcome
from tests.integration.app.conftest import Story

PREPARE = "hpc_portal.app.jobs.dispatch.prepare_workspace"


def spec() -> JobSpec:
    return JobSpec.model_validate(
        {"name": "sim", "argv": ("/bin/true",), "resources": {"walltime_seconds": 3600}}
    )


def test_a_cancellation_that_the_scheduler_lost_is_told_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = story.submit(spec())
    story.step()
    request_cancel(story.city.services, story.city.chips.member, [job_id])
    step = CancelStep(story.context)
    told: list[Collection[str]] = []

    async def lose(scheduler_job_ids: Collection[str]) -> None:
        told.append(scheduler_job_ids)

    with monkeypatch.context() as patch:
        patch.setattr(story.scheduler, "cancel", lose)
        asyncio.run(step())
        asyncio.run(step())
    assert len(told) == 1
    story.clock.advance(61)
    asyncio.run(step())
    story.step()
    assert story.job(job_id).state is JobState.CANCELLED


def test_a_claim_is_renewed_before_jobs_are_sent_that_took_long_to_prepare(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = story.submit(spec())
    sent: list[datetime | None] = []
    submit = story.scheduler.submit

    def slowly(root: Path, relative: str, asked: JobSpec, *, owner: int | None) -> Path:
        story.clock.advance(59)
        return prepare_workspace(root, relative, asked, owner=owner)

    async def look(submissions: Sequence[Submission]) -> Sequence[SubmitOutcome]:
        sent.append(story.job(job_id).claimed_until)
        return await submit(submissions)

    monkeypatch.setattr(PREPARE, slowly)
    monkeypatch.setattr(story.scheduler, "submit", look)
    asyncio.run(dispatch_once(story.context))
    assert sent == [story.clock.now() + timedelta(seconds=60)]
    assert story.job(job_id).phase is Phase.TRACKED


def test_a_controller_that_slept_over_its_lease_sends_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = story.submit(spec())

    def sleep(root: Path, relative: str, asked: JobSpec, *, owner: int | None) -> Path:
        story.clock.advance(1_000_000)
        assert transact(
            story.city.services.engine,
            lambda connection: leases.acquire(
                connection, story.context.lease.name, holder="standby", now=story.clock.now(), seconds=60
            ),
        )
        return prepare_workspace(root, relative, asked, owner=owner)

    monkeypatch.setattr(PREPARE, sleep)
    with pytest.raises(LeaseLost):
        asyncio.run(dispatch_once(story.context))
    assert story.job(job_id).phase is Phase.DISPATCHING
    assert story.scheduler.started == []
