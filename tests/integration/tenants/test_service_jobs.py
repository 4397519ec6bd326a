"""Who answers for a service account is told of its jobs, and looks after them, for as long as they do."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select, update
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_project_membership
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.campaigns.stop_campaign import stop_campaign
from hpc_portal.app.campaigns.tables import CampaignRun
from hpc_portal.app.db import transact
from hpc_portal.app.errors import JobNotFound, NotAllowed
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.jobs.change import request_change
from hpc_portal.app.jobs.may_act import may_cancel, may_change
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.jobs.tell_owners import TellOwnersStep
from hpc_portal.app.notices.choices import choose
from hpc_portal.app.notices.groups import Choice, MailPace, NoticeGroup
from hpc_portal.app.notices.say import say
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.service_accounts.create import NewService, create_service
from hpc_portal.app.service_accounts.tokens import issue_service_token
from hpc_portal.app.tables import User
from hpc_portal.auth.identify import Identities
from schedulers.jobspec import MailOn
from schedulers.jobstate import JobState
from schedulers.protocol import HoldJob
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec

ON_PAGE = Choice(on_page=True, by_mail=MailPace.OFF, by_webhook=False)


def robot(story: Story, *owners: str) -> Actor:
    """The service account of these owners, as the web lets it in."""
    services, lead = story.city.services, story.city.chips.lead
    create_service(services, lead, "chips", NewService("ci", "Nightly regression", owners=owners))
    token = issue_service_token(services, lead, "chips", "ci@chips", name="GitLab")
    found = asyncio.run(Identities(services).by_token(token.secret))
    assert found
    return found


def now(story: Story, actor: Actor) -> Actor:
    """The same person as they are let in from now on."""
    with story.city.services.reading() as session:
        found = load_actor(session, actor.user_id)
    assert found
    return found


def told(story: Story) -> Sequence[Row[Any]]:
    """What somebody sees on their page, oldest first; every step is taken twice."""
    for _ in range(2):
        asyncio.run(TellOwnersStep(story.context)())
    with story.city.services.engine.connect() as connection:
        return connection.execute(
            select(col(User.username), col(Notice.kind), col(Notice.facts))
            .join(User, col(User.id) == col(Notice.user_id))
            .where(col(Notice.on_page))
            .order_by(col(User.username), col(Notice.id))
        ).all()


def run(story: Story, job_id: UUID, state: JobState = JobState.COMPLETED) -> None:
    story.step()
    story.scheduler.finish(job_id, state=state)
    story.step()


def test_each_owner_is_told_of_its_jobs_what_they_chose_for_their_own(story: Story) -> None:
    city = story.city
    choose(city.services, city.chips.member, {NoticeGroup.JOBS_ENDED: ON_PAGE})
    choose(city.services, city.chips.lead, {NoticeGroup.JOBS_FAILED: ON_PAGE})
    pipeline = robot(story, "chips-member", "chips-lead")
    well, badly = (story.submit(spec(), actor=pipeline) for _ in range(2))
    run(story, well)
    run(story, badly, JobState.TIMEOUT)
    assert [(row.username, row.kind, row.facts["job_id"]) for row in told(story)] == [
        ("chips-lead", "job.failed", str(badly)),
        ("chips-member", "job.ended", str(well)),
    ]
    assert "ci@chips" in say("job.ended", told(story)[1].facts, "vi").body


def test_near_the_end_of_its_time_the_owner_is_told_and_who_has_no_such_wish_is_not(story: Story) -> None:
    choose(story.city.services, story.city.chips.member, {NoticeGroup.JOBS_NEAR_END: ON_PAGE})
    story.submit(spec(), actor=robot(story, "chips-member", "chips-lead"))
    story.step()
    assert told(story) == []
    story.scheduler.advance(int(0.95 * (spec().resources.walltime_seconds or 0)))
    assert [(row.username, row.kind) for row in told(story)] == [("chips-member", "job.near_end")]


def test_its_campaign_is_told_when_it_has_finished_and_its_owner_stops_it(story: Story) -> None:
    services = story.city.services
    pipeline = robot(story, "chips-member")

    def submit() -> UUID:
        parameters = {"name": "nightly", "tests": ["random", "burst"], "seeds": 1}
        wish = SubmitRequest(project="chips", template="rtl-regression", parameters=parameters)
        return asyncio.run(submit_job(services, pipeline, wish)).job_id

    submit()
    story.step()
    story.scheduler.finish_all()
    story.step()
    assert [(row.username, row.kind) for row in told(story)] == [("chips-member", "campaign.finished")]
    goes_on = submit()
    with services.engine.connect() as connection:
        campaign: UUID = connection.execute(
            select(col(CampaignRun.campaign_id)).where(col(CampaignRun.job_id) == goes_on)
        ).scalar_one()
    assert stop_campaign(services, now(story, story.city.chips.member), campaign) == [goes_on]


def test_what_a_pipeline_asked_for_with_a_job_is_told_to_all_owners_who_are_still_there(story: Story) -> None:
    city = story.city
    pipeline = robot(story, "chips-member", "chips-lead")
    job_id = story.submit(spec(mail_on=[MailOn.END]), actor=pipeline)
    set_project_membership(city.services, OPERATOR, account="chips", username="chips-member", role=None)
    run(story, job_id)
    assert [(row.username, row.kind) for row in told(story)] == [("chips-lead", "job.ended")]


def test_when_the_last_owner_was_disabled_the_leads_learn_how_its_jobs_ended(story: Story) -> None:
    """Its tokens are over in that moment; the jobs go on, and are paid for: somebody has to know."""
    city = story.city
    pipeline = robot(story, "chips-member")
    job_id = story.submit(spec(mail_on=[MailOn.END]), actor=pipeline)
    is_owner = col(User.id) == city.chips.member.user_id
    transact(city.services.engine, lambda c: c.execute(update(User).where(is_owner).values(is_active=False)))
    run(story, job_id)
    assert [(row.username, row.kind) for row in told(story)] == [("chips-lead", "job.ended")]
    with city.services.reading() as session:
        assert load_actor(session, city.chips.member.user_id) is None


def test_an_owner_who_is_a_member_sees_holds_and_cancels_its_jobs(story: Story) -> None:
    services, member = story.city.services, story.city.chips.member
    job_id = story.submit(spec(), actor=robot(story, "chips-member"))
    owner = now(story, member)
    with services.reading() as session:
        job = get_job(session, owner, job_id)
    assert (job.user, may_cancel(owner, job), may_change(owner, job)) == ("ci@chips", True, True)
    assert request_change(services, owner, [job_id], HoldJob()).changes
    assert request_cancel(services, owner, [job_id]) == [job_id]
    with services.engine.connect() as connection:
        deeds = connection.execute(select(col(AuditRecord.action), col(AuditRecord.actor_id))).all()
    assert ("job.cancel_requested", owner.user_id) in [tuple(row) for row in deeds]


def test_who_does_not_answer_for_it_any_more_cancels_nothing(story: Story) -> None:
    services, city = story.city.services, story.city
    job_id = story.submit(spec(), actor=robot(story, "chips-lead"))
    with pytest.raises(NotAllowed):
        request_cancel(services, now(story, city.chips.member), [job_id])
    with pytest.raises(JobNotFound):
        request_cancel(services, now(story, city.rivals.lead), [job_id])
    with services.reading() as session:
        assert get_job(session, OPERATOR, job_id).cancel_requested_at is None


def test_an_owner_who_left_the_project_sees_and_cancels_nothing_of_it(story: Story) -> None:
    services, city = story.city.services, story.city
    job_id = story.submit(spec(), actor=robot(story, "chips-member", "chips-lead"))
    set_project_membership(services, OPERATOR, account="chips", username="chips-member", role=None)
    former = now(story, city.chips.member)
    with pytest.raises(JobNotFound):
        request_cancel(services, former, [job_id])
    with services.reading() as session, pytest.raises(JobNotFound):
        get_job(session, former, job_id)
