"""Whoever asked for mail with their job is told what they asked for, each thing once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.jobs.tell_owners import TellOwnersStep
from hpc_portal.app.notices.say import say
from hpc_portal.app.notices.tables import JobNotice, Mail, Notice
from hpc_portal.app.tables import User
from schedulers.jobspec import JobSpec, MailOn
from schedulers.jobstate import JobState
from schedulers.memory import SubmitScenario
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec


def asking(*mail_on: MailOn) -> JobSpec:
    return spec(mail_on=mail_on)


def told(story: Story) -> Sequence[Row[Any]]:
    """All that the owner has been told so far; every step is taken twice."""
    for _ in range(2):
        asyncio.run(TellOwnersStep(story.context)())
    with story.city.services.engine.connect() as connection:
        statement = select(col(Notice.user_id), col(Notice.kind), col(Notice.facts)).order_by(col(Notice.id))
        return connection.execute(statement).all()


def left(story: Story) -> int:
    with story.city.services.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(JobNotice)).scalar_one()


def give_addresses(story: Story) -> None:
    transact(
        story.city.services.engine,
        lambda connection: connection.execute(update(User).values(email="an@songhan.example")),
    )


def test_the_start_and_the_end_are_told_once_with_what_it_cost(story: Story) -> None:
    give_addresses(story)
    job_id = story.submit(asking(MailOn.BEGIN, MailOn.END))
    assert told(story) == []
    story.step()
    assert [row.kind for row in told(story)] == ["job.started"]
    story.scheduler.advance(1800)
    story.scheduler.finish(job_id)
    story.step()
    started, ended = told(story)
    assert (started.kind, ended.kind, ended.user_id) == (
        "job.started",
        "job.ended",
        story.city.chips.member.user_id,
    )
    said = say(ended.kind, ended.facts, "vi")
    assert "sim" in said.title
    assert ("00:30:00" in said.body, "198" in said.body, said.path) == (True, True, f"/jobs/{job_id}")
    assert left(story) == 0
    with story.city.services.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(Mail)).scalar_one() == 2


def test_a_failure_is_told_to_those_who_asked_for_failures_and_a_success_is_not(story: Story) -> None:
    well, badly = story.submit(asking(MailOn.FAIL)), story.submit(asking(MailOn.FAIL))
    story.step()
    story.scheduler.finish(well)
    story.scheduler.finish(badly, state=JobState.TIMEOUT)
    story.step()
    (failed,) = told(story)
    assert (failed.kind, failed.facts["state"], failed.facts["job_id"]) == (
        "job.failed",
        "TIMEOUT",
        str(badly),
    )
    assert left(story) == 0


def test_a_job_that_the_cluster_refused_is_told_as_refused(story: Story) -> None:
    story.submit(asking(MailOn.FAIL))
    story.scheduler.scenario = SubmitScenario.REFUSE
    story.step()
    (failed,) = told(story)
    assert (failed.kind, failed.facts["state"]) == ("job.failed", "REFUSED")
    assert left(story) == 0


def test_who_asked_for_nothing_is_told_nothing(story: Story) -> None:
    job_id = story.submit(spec())
    story.step()
    story.scheduler.finish(job_id)
    story.step()
    assert (told(story), left(story)) == ([], 0)


def test_a_job_that_is_stored_twice_in_one_commit_asks_once(story: Story) -> None:
    job_id = story.submit(asking(MailOn.END), idempotency_key="once")
    assert story.submit(asking(MailOn.END), idempotency_key="once") == job_id
    assert left(story) == 1
