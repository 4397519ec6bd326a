"""The start page knows when somebody was last here, and what went wrong in the meantime."""

from datetime import timedelta
from uuid import UUID

import pytest

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotAllowed
from hpc_portal.app.home.burn_down import SHOWN_DAYS, burn_down
from hpc_portal.app.home.city_duties import CityDuties, city_duties
from hpc_portal.app.home.overview import FirstSteps, failed_since, first_steps
from hpc_portal.app.home.visits import come_back
from hpc_portal.app.jobs.cancel import request_cancel
from hpc_portal.app.requests.checks import WantedQuota, first_today
from hpc_portal.app.requests.draft import draft_request
from hpc_portal.app.requests.submit import submit_request
from hpc_portal.app.requests.transitions import RequestKind
from quotas.discrepancies import Finding, report
from quotas.money import VND
from quotas.usage_tables import DiscrepancyKind
from schedulers.jobspec import JobSpec
from tests.integration.app.conftest import Story

HOUR = 3600


def test_a_visit_goes_on_until_half_an_hour_without_a_look(story: Story) -> None:
    services, actor = story.city.services, story.city.chips.member
    first = story.clock.now()
    assert come_back(services, actor) is None
    story.clock.advance(29 * 60)
    assert come_back(services, actor) is None
    last_look = story.clock.now()
    story.clock.advance(8 * HOUR)
    assert come_back(services, actor) == last_look
    story.clock.advance(30)
    assert come_back(services, actor) == last_look
    story.clock.advance(20 * 60)
    assert come_back(services, actor) == last_look
    assert come_back(services, story.city.chips.lead) is None
    assert first < last_look


def test_what_failed_while_somebody_was_away_is_named_and_nothing_else(story: Story) -> None:
    def submit(name: str) -> UUID:
        return story.submit(JobSpec(name=name, argv=("true",)))

    early, good, bad, given_up = (submit(name) for name in ("early", "good", "bad", "given-up"))
    story.submit(JobSpec(name="somebody-else-s", argv=("true",)), actor=story.city.chips.lead)
    story.step()
    story.scheduler.finish(early, exit_code=3)
    story.step()
    story.scheduler.advance(60)
    away_since = story.clock.now()
    story.scheduler.advance(60)
    request_cancel(story.city.services, story.city.chips.member, [given_up])
    story.step()
    story.scheduler.finish(good)
    story.scheduler.finish(bad, exit_code=1)
    story.scheduler.finish_all(exit_code=9)
    story.step()
    with story.city.services.reading() as session:
        found = failed_since(session, story.city.chips.member, away_since, at=story.clock.now())
        rival = failed_since(session, story.city.rivals.member, away_since, at=story.clock.now())
    assert ([job.name for job in found], list(rival)) == (["bad"], [])


def test_a_new_person_s_steps_are_counted(story: Story) -> None:
    with story.city.services.reading() as session:
        before = first_steps(session, story.city.chips.member, has_budget=True)
    story.submit(JobSpec(name="first", argv=("true",)))
    with story.city.services.reading() as session:
        after = first_steps(session, story.city.chips.member, has_budget=True)
    assert before == FirstSteps(has_project=True, has_budget=True, has_job=False, has_token=False)
    assert (before.are_taken, after.has_job, after.are_taken) == (False, True, True)


def test_the_burn_down_ends_at_what_is_left_now(story: Story) -> None:
    job = story.submit(JobSpec(name="costly", argv=("true",)))
    story.step()
    story.scheduler.advance(HOUR / 2)
    story.scheduler.finish(job)
    story.step()
    available, held, consumed = story.vnd()
    story.scheduler.advance(2 * 24 * HOUR)
    with story.city.services.engine.connect() as connection:
        found = burn_down(connection, story.city.chips.project_id, at=story.clock.now())
    assert found
    assert (len(found.left), found.left[0], found.left[-1]) == (
        SHOWN_DAYS,
        available + held + consumed,
        available + held,
    )
    assert found.days[-1] - found.days[0] == timedelta(days=SHOWN_DAYS - 1)
    assert found.forecast is None


def test_what_waits_for_the_city_is_counted_for_those_who_run_it_only(story: Story) -> None:
    services, city = story.city.services, story.city
    with services.reading() as session:
        assert city_duties(session, OPERATOR) == CityDuties(0, None, 0, 0)
    wanted = WantedQuota(
        RequestKind.NEW,
        {VND: 1_000_000},
        first_today(story.clock.now()),
        first_today(story.clock.now()) + timedelta(days=30),
        "The last regression before tape-out.",
    )
    for tenant in (city.chips, city.rivals):
        request_id = draft_request(services, tenant.lead, tenant.account, wanted)
        submit_request(services, tenant.lead, request_id)
    draft_request(services, city.chips.lead, city.chips.account, wanted)  # waits for nobody yet
    unknown = Finding(DiscrepancyKind.UNKNOWN_ACCOUNT, "unknown_account:danang:x:an", {"runs": 1})
    transact(services.engine, lambda connection: report(connection, [unknown], at=story.clock.now()))
    with services.reading() as session:
        found = city_duties(session, OPERATOR)
        with pytest.raises(NotAllowed):
            city_duties(session, city.chips.lead)
    assert found == CityDuties(2, story.clock.now(), 0, 1)
