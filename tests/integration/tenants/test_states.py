"""Suspended and closed tenants: nothing new comes in, and nothing that runs is touched unasked."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.errors import (
    InvalidEntry,
    NotAllowed,
    NotFound,
    ProjectNotFound,
    TenantClosed,
    TenantNotActive,
)
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.tables import OrganisationRole
from hpc_portal.app.tenants.change_state import (
    TENANT_STOPPED,
    JobsThen,
    StateChange,
    change_organisation_state,
    change_project_state,
)
from hpc_portal.app.tenants.queries import get_project_details
from quotas.tables import TenantState
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story

SUSPEND = StateChange(TenantState.SUSPENDED, "An invoice is overdue.")
RESUME = StateChange(TenantState.ACTIVE, "")
CLOSE = StateChange(TenantState.CLOSED, "The company moved away.")


def spec() -> JobSpec:
    return JobSpec(name="a", argv=["true"])


def manager(story: Story) -> Actor:
    services = story.city.services
    set_organisation_membership(
        services, OPERATOR, organisation="chips-org", username="chips-lead", role=OrganisationRole.MANAGER
    )
    with services.reading() as session:
        found = load_actor(session, story.city.chips.lead.user_id)
    assert found
    return found


@pytest.mark.parametrize("what", ["organisation", "project"])
def test_a_suspended_tenant_submits_nothing_and_is_told_why(story: Story, what: str) -> None:
    services = story.city.services
    if what == "organisation":
        change_organisation_state(services, OPERATOR, "chips-org", SUSPEND)
    else:
        change_project_state(services, OPERATOR, "chips", SUSPEND)
    with pytest.raises(TenantNotActive, match=r"suspended.*An invoice is overdue\. Ask"):
        story.submit(spec())
    story.submit(spec(), actor=story.city.rivals.member, project="rivals")
    assert story.vnd()[1] == 0
    (change_organisation_state if what == "organisation" else change_project_state)(
        services, OPERATOR, "chips-org" if what == "organisation" else "chips", RESUME
    )
    story.city = replace(story.city, services=replace(services))  # nothing kept in memory
    story.submit(spec())


def test_a_submission_that_was_checked_before_the_suspension_is_refused_when_it_is_stored(
    story: Story,
) -> None:
    services = story.city.services
    services.projects.get()  # now in memory, for a second
    change_project_state(services, OPERATOR, "chips", SUSPEND)
    assert services.projects.get()["chips"].is_active
    with pytest.raises(TenantNotActive, match="overdue"):
        story.submit(spec())
    assert story.vnd()[1] == 0


def test_of_a_batch_only_the_suspended_tenants_jobs_are_refused(story: Story) -> None:
    services, city = story.city.services, story.city
    services.projects.get()
    change_project_state(services, OPERATOR, "chips", SUSPEND)

    async def submit_all() -> list[object]:
        who = [(city.chips.member, "chips"), (city.rivals.member, "rivals")] * 5
        return await asyncio.gather(
            *(
                submit_job(services, actor, SubmitRequest(project=account, spec=spec()))
                for actor, account in who
            ),
            return_exceptions=True,
        )

    outcomes = asyncio.run(submit_all())
    assert [isinstance(outcome, TenantNotActive) for outcome in outcomes] == [True, False] * 5
    story.require_exact_ledger()


def test_what_runs_goes_on_and_what_the_portal_still_has_waits_until_it_is_resumed(story: Story) -> None:
    services = story.city.services
    running = story.submit(spec())
    story.step()
    waiting = story.submit(spec())
    change_project_state(services, OPERATOR, "chips", SUSPEND)
    story.step()
    assert story.job(running).cancel_requested_at is None
    assert (story.job(waiting).phase, story.job(waiting).state_reason) == (Phase.ACCEPTED, TENANT_STOPPED)
    change_project_state(services, OPERATOR, "chips", RESUME)
    assert story.job(waiting).state_reason == ""
    story.step()
    assert story.job(waiting).phase is Phase.TRACKED


def test_a_project_stays_stopped_while_its_organisation_is(story: Story) -> None:
    services = story.city.services
    waiting = story.submit(spec())
    change_organisation_state(services, OPERATOR, "chips-org", SUSPEND)
    change_project_state(services, OPERATOR, "chips", SUSPEND)
    change_project_state(services, OPERATOR, "chips", RESUME)
    story.step()
    assert (story.job(waiting).phase, story.job(waiting).state_reason) == (Phase.ACCEPTED, TENANT_STOPPED)


def test_a_project_s_page_tells_what_became_of_it_and_of_its_organisation_in_one_answer(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    change_organisation_state(services, OPERATOR, "chips-org", replace(SUSPEND, reason="first"))
    change_project_state(services, OPERATOR, "chips", replace(SUSPEND, reason="second"))
    change_project_state(services, OPERATOR, "rivals", replace(SUSPEND, reason="not ours"))
    change_organisation_state(services, OPERATOR, "chips-org", replace(RESUME, reason="third"))
    asked = []
    with services.reading() as session:

        @event.listens_for(session.connection(), "before_cursor_execute")
        def notice(*told: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
            asked.append(told[2])

        found = get_project_details(session, lead, "chips").history
    assert [change.reason for change in found] == ["third", "second", "first"]
    assert sum("FROM tenant_state_change" in statement for statement in asked) == 1


@pytest.mark.parametrize(
    ("then", "cancelled"), [(JobsThen.KEEP, 0), (JobsThen.CANCEL_WAITING, 1), (JobsThen.CANCEL_ALL, 2)]
)
def test_jobs_are_cancelled_only_as_asked(story: Story, then: JobsThen, cancelled: int) -> None:
    services = story.city.services
    running = story.submit(spec())
    story.step()
    assert story.job(running).state is JobState.RUNNING
    waiting = story.submit(spec())
    other = story.submit(spec(), actor=story.city.rivals.member, project="rivals")
    done = change_project_state(services, OPERATOR, "chips", replace(SUSPEND, jobs=then))
    assert (done.is_new, done.jobs_cancelled) == (True, cancelled)
    wishes = [story.job(job).cancel_requested_at is not None for job in (running, waiting, other)]
    assert wishes == [then is JobsThen.CANCEL_ALL, then is not JobsThen.KEEP, False]
    again = change_project_state(services, OPERATOR, "chips", replace(SUSPEND, jobs=then))
    assert (again.is_new, again.jobs_cancelled) == (False, 0)
    story.step()
    story.require_exact_ledger()


def test_closed_is_for_good_and_leaves_nothing_waiting_for_ever(story: Story) -> None:
    services = story.city.services
    waiting = story.submit(spec())
    change_project_state(services, OPERATOR, "chips", CLOSE)
    story.step()
    assert story.job(waiting).state is JobState.CANCELLED
    for state in (TenantState.ACTIVE, TenantState.SUSPENDED):
        with pytest.raises(TenantClosed):
            change_project_state(services, OPERATOR, "chips", StateChange(state, "again"))
    assert story.vnd()[1] == 0


def test_a_manager_stops_projects_of_their_own_but_resumes_nothing_that_the_city_suspended(
    story: Story,
) -> None:
    services = story.city.services
    boss = manager(story)
    change_project_state(services, boss, "chips", SUSPEND)
    change_project_state(services, boss, "chips", RESUME)
    change_project_state(services, OPERATOR, "chips", SUSPEND)
    with pytest.raises(NotAllowed, match="administrators, who suspended it"):
        change_project_state(services, boss, "chips", RESUME)
    with pytest.raises(NotAllowed):
        change_organisation_state(services, boss, "chips-org", SUSPEND)
    with pytest.raises(ProjectNotFound):
        change_project_state(services, boss, "rivals", SUSPEND)
    with pytest.raises(NotFound):
        change_organisation_state(services, boss, "rivals-org", SUSPEND)
    with pytest.raises(NotAllowed):
        change_project_state(services, story.city.chips.member, "chips", SUSPEND)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001])
def test_who_stops_a_tenant_says_why(story: Story, reason: str) -> None:
    with pytest.raises(InvalidEntry, match="reason"):
        change_project_state(
            story.city.services, OPERATOR, "chips", StateChange(TenantState.SUSPENDED, reason)
        )


def test_two_administrators_at_once_suspend_it_once(story: Story) -> None:
    services = story.city.services
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: change_project_state(services, OPERATOR, "chips", SUSPEND), range(8)))
    assert sum(one.is_new for one in done) == 1
    with services.reading() as session:
        deeds = [entry.action for entry in list_audit(session, OPERATOR).items]
    assert deeds.count("project.state_changed") == 1


def test_no_job_slips_in_while_its_tenant_is_suspended_with_all_its_jobs(story: Story) -> None:
    services = story.city.services

    def submit(_: int) -> object:
        try:
            return story.submit(spec())
        except TenantNotActive as refusal:
            return refusal

    everything = replace(SUSPEND, jobs=JobsThen.CANCEL_ALL)
    with ThreadPoolExecutor(9) as pool:
        submissions = [pool.submit(submit, number) for number in range(8)]
        change_project_state(services, OPERATOR, "chips", everything)
        outcomes = [future.result() for future in submissions]
    stored = [outcome for outcome in outcomes if not isinstance(outcome, TenantNotActive)]
    assert all(story.job(job).cancel_requested_at is not None for job in stored)  # type: ignore[arg-type]
    story.step()
    assert story.vnd()[1] == 0
    story.require_exact_ledger()
