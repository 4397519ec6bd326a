"""Whoever asked for mail with their job is told what they asked for, each thing once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.tell_owners import TellOwnersStep
from hpc_portal.app.notices.choices import choose
from hpc_portal.app.notices.groups import Choice, MailPace, NoticeGroup
from hpc_portal.app.notices.say import say
from hpc_portal.app.notices.tables import DigestItem, JobNotice, Mail, Notice
from hpc_portal.app.tables import Job, User
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
        statement = select(
            col(Notice.user_id), col(Notice.kind), col(Notice.facts), col(Notice.on_page)
        ).order_by(col(Notice.id))
        return connection.execute(statement).all()


def choose_for_all(story: Story, *groups: NoticeGroup) -> None:
    ways = Choice(on_page=True, by_mail=MailPace.DAILY, by_webhook=False)
    choose(story.city.services, story.city.chips.member, dict.fromkeys(groups, ways))


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


def test_who_wants_to_be_told_of_all_their_jobs_is_told_without_asking_each_time(story: Story) -> None:
    give_addresses(story)
    choose_for_all(story, NoticeGroup.JOBS_STARTED, NoticeGroup.JOBS_FAILED)
    well, badly = story.submit(spec()), story.submit(spec())
    story.submit(spec(), actor=story.city.rivals.member, project="rivals")
    story.step()
    story.scheduler.finish(well)
    story.scheduler.finish(badly, state=JobState.TIMEOUT)
    story.step()
    kinds = [(row.kind, row.facts["job_id"]) for row in told(story) if row.on_page]
    assert sorted(kinds) == sorted(
        [("job.started", str(well)), ("job.started", str(badly)), ("job.failed", str(badly))]
    )
    with story.city.services.engine.connect() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Mail, DigestItem)
        ]
    assert counts == [0, 3], "they chose one mail a day"


def test_a_job_near_its_time_limit_is_told_once_and_again_when_it_was_extended(story: Story) -> None:
    choose_for_all(story, NoticeGroup.JOBS_NEAR_END)
    job_id = story.submit(spec())
    story.step()
    assert told(story) == []
    story.clock.advance(3200)
    assert told(story) == []
    story.clock.advance(60)
    (near,) = told(story)
    assert (near.kind, near.facts["walltime"]) == ("job.near_end", "01:00:00")
    longer = {**spec().model_dump(mode="json"), "resources": {"cpus_per_task": 1, "walltime_seconds": 7200}}
    transact(
        story.city.services.engine,
        lambda connection: connection.execute(update(Job).where(col(Job.id) == job_id).values(spec=longer)),
    )
    story.clock.advance(600)
    assert len(told(story)) == 1
    story.clock.advance(3000)
    assert [row.kind for row in told(story)] == ["job.near_end"] * 2
    story.scheduler.finish(job_id)
    story.step()
    assert (len(told(story)), left(story)) == (2, 0)


def test_a_campaign_that_has_finished_is_told_with_what_became_of_its_tasks(story: Story) -> None:
    parameters = {"name": "nightly", "tests": ["random", "burst"], "seeds": 1}
    request = SubmitRequest(project="chips", template="rtl-regression", parameters=parameters)
    member = story.city.chips.member
    asyncio.run(submit_job(story.city.services, member, request))
    story.step()
    story.scheduler.finish_all()
    story.step()
    (finished,) = told(story)
    assert (finished.kind, finished.facts["tasks"], finished.facts["failed"]) == ("campaign.finished", 2, 0)
    said = say(finished.kind, finished.facts, "vi")
    assert said.path.startswith("/campaigns/")
    assert left(story) == 0
