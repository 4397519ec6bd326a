"""Service accounts of a project: a pipeline submits with a token, and people answer for it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_project_members
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.errors import (
    InvalidEntry,
    NameTaken,
    NotAllowed,
    NotFound,
    ProjectNotFound,
    WrongCredentials,
)
from hpc_portal.app.jobs.queries import get_job
from hpc_portal.app.service_accounts.create import (
    NewService,
    ServiceChange,
    change_service,
    create_service,
    end_service,
)
from hpc_portal.app.service_accounts.queries import ServiceRecord, list_all_services, list_project_services
from hpc_portal.app.service_accounts.tables import ServiceEnd
from hpc_portal.app.service_accounts.tokens import (
    issue_service_token,
    revoke_service_token,
    rotate_service_token,
)
from hpc_portal.app.tables import ApiToken, OrganisationRole, ProjectRole, TokenScope
from hpc_portal.app.tenants.change_state import JobsThen, StateChange, change_project_state
from hpc_portal.app.tenants.hand_over import HandOver, hand_over_project
from hpc_portal.app.tenants.tenant_step import TenantStep
from hpc_portal.auth.identify import Identities
from quotas.tables import TenantState
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.integration.app.conftest import Story

DAY = 86_400
SPEC = JobSpec(
    name="sim",
    argv=["/bin/true"],
    resources=ResourceRequest(cpus_per_task=1, memory_mib_per_node=512, walltime_seconds=60),
)
CI = NewService("ci", "Nightly regression", valid_days=100)


def create(story: Story, new: NewService = CI) -> str:
    return create_service(story.city.services, story.city.chips.lead, "chips", new)


def issue(story: Story, *, days: int = 30, scope: TokenScope = TokenScope.JOBS) -> tuple[UUID, str]:
    token = issue_service_token(
        *(story.city.services, story.city.chips.lead, "chips", "ci@chips"),
        name="GitLab",
        scope=scope,
        valid_days=days,
    )
    return token.id, token.secret


def shown(story: Story, secret: str) -> Actor | None:
    """Whom the web lets in with the token, by a process that remembers nothing."""
    return asyncio.run(Identities(story.city.services).by_token(secret))


async def step(story: Story) -> None:
    await TenantStep(story.context)()


def record(story: Story) -> ServiceRecord:
    services = story.city.services
    with services.reading() as session:
        [found] = list_project_services(session, story.city.chips.lead, "chips", at=services.clock.now())
    return found


def deeds(story: Story) -> list[tuple[str, str]]:
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(
            select(col(AuditRecord.action), col(AuditRecord.subject)).order_by(col(AuditRecord.sequence))
        )
        return [(row.action, row.subject) for row in rows]


def test_a_pipeline_submits_as_itself_and_the_job_says_who_answers_for_it(story: Story) -> None:
    create(story, NewService("ci", "Nightly regression", owners=["chips-member", "chips-lead"]))
    _, secret = issue(story)
    robot = shown(story, secret)
    assert robot
    assert (robot.username, robot.scope, list(robot.projects)) == (
        "ci@chips",
        TokenScope.JOBS,
        [story.city.chips.project_id],
    )
    job_id = story.submit(SPEC, actor=robot)
    with story.city.services.reading() as session:
        job = get_job(session, story.city.chips.member, job_id)
    assert (job.user, job.project) == ("ci@chips", "chips")
    assert set(job.service_owners.split(", ")) == {"chips-lead", "chips-member"}
    assert record(story).last_used_at is not None
    assert ("service_account.created", "ci@chips") in deeds(story)
    assert ("token.issued", "ci@chips/GitLab") in deeds(story)


def test_a_token_ends_by_itself_and_never_outlives_its_account(story: Story) -> None:
    create(story)
    _, short = issue(story, days=30)
    _, long = issue(story, days=365)
    story.clock.advance(31 * DAY)
    assert shown(story, short) is None
    assert shown(story, long) is not None
    story.clock.advance(70 * DAY)
    assert shown(story, long) is None
    assert record(story).over is ServiceEnd.EXPIRED


def test_rotation_leaves_the_old_token_good_for_the_overlap_only(story: Story) -> None:
    create(story)
    old_id, old = issue(story)
    lead = story.city.chips.lead
    place = (story.city.services, lead, "chips", "ci@chips")
    new = rotate_service_token(*place, old_id, overlap_hours=2)
    assert new.expires_at
    assert new.expires_at - new.created_at == timedelta(days=30)
    assert shown(story, old) is not None
    assert shown(story, new.secret) is not None
    story.clock.advance(2 * 3600)
    assert shown(story, old) is None
    assert shown(story, new.secret) is not None
    with pytest.raises(InvalidEntry, match="This token is over"):
        rotate_service_token(*place, old_id)
    for _ in range(2):
        revoke_service_token(*place, new.id)
    assert shown(story, new.secret) is None
    assert deeds(story).count(("token.revoked", "ci@chips/GitLab")) == 1


def test_it_is_over_in_the_moment_its_last_owner_leaves(story: Story) -> None:
    create(story, NewService("ci", "Nightly", owners=["chips-member"]))
    _, secret = issue(story)
    services, lead = story.city.services, story.city.chips.lead
    set_project_membership(services, lead, account="chips", username="chips-member", role=None)
    assert shown(story, secret) is None
    assert record(story).over is ServiceEnd.NO_OWNER
    asyncio.run(step(story))
    set_project_membership(services, lead, account="chips", username="chips-member", role=ProjectRole.MEMBER)
    assert shown(story, secret) is None, "once it is written down, coming back brings nothing back"
    assert ("service_account.ended", "ci@chips") in deeds(story)


def test_another_owner_keeps_it(story: Story) -> None:
    create(story, NewService("ci", "Nightly", owners=["chips-member"]))
    _, secret = issue(story)
    services, lead = story.city.services, story.city.chips.lead
    change_service(services, lead, "chips", "ci@chips", ServiceChange(owners=["chips-lead", "chips-member"]))
    set_project_membership(services, lead, account="chips", username="chips-member", role=None)
    asyncio.run(step(story))
    assert shown(story, secret) is not None


def test_it_ends_with_its_project(story: Story) -> None:
    create(story)
    _, secret = issue(story)
    change = StateChange(TenantState.CLOSED, "taped out", JobsThen.KEEP)
    change_project_state(story.city.services, OPERATOR, "chips", change)
    assert shown(story, secret) is None
    asyncio.run(step(story))
    assert record(story).over is ServiceEnd.PROJECT_CLOSED
    with story.city.services.engine.connect() as connection:
        assert None not in connection.execute(select(col(ApiToken.revoked_at))).scalars().all()


def test_who_ends_it_ends_its_tokens_not_its_jobs_and_a_repeat_changes_nothing(story: Story) -> None:
    create(story)
    _, secret = issue(story)
    robot = shown(story, secret)
    assert robot
    job_id = story.submit(SPEC, actor=robot)
    for _ in range(2):
        end_service(story.city.services, story.city.chips.lead, "chips", "ci@chips")
    assert shown(story, secret) is None
    assert deeds(story).count(("service_account.ended", "ci@chips")) == 1
    with story.city.services.reading() as session:
        assert get_job(session, OPERATOR, job_id).cancel_requested_at is None
    with pytest.raises(InvalidEntry, match="is over"):
        issue(story)
    with pytest.raises(NameTaken):
        create(story)


def test_it_is_no_person_has_no_password_and_takes_no_other_place(story: Story) -> None:
    username = create(story)
    services, lead = story.city.services, story.city.chips.lead
    with pytest.raises(WrongCredentials):
        authenticate(services, username, "")
    with pytest.raises(NotFound):
        reset_password(services, OPERATOR, username=username, new="a long password for a robot")
    with pytest.raises(InvalidEntry):
        set_project_membership(services, lead, account="chips", username=username, role=ProjectRole.LEAD)
    with pytest.raises(NotFound):
        set_organisation_membership(
            services, OPERATOR, organisation="chips-org", username=username, role=OrganisationRole.MANAGER
        )
    with pytest.raises(InvalidEntry, match="Choose an active member"):
        hand_over_project(services, lead, "chips", HandOver(username))
    with services.reading() as session:
        members = {one.username for one in list_project_members(session, lead, "chips")}
    assert members == {"chips-lead", "chips-member"}


def test_members_look_leads_and_owners_handle_it_and_strangers_learn_nothing(story: Story) -> None:
    services, city = story.city.services, story.city
    for person, error in ((city.chips.member, NotAllowed), (city.rivals.lead, ProjectNotFound)):
        with pytest.raises(error):
            create_service(services, person, "chips", CI)
    create(story)
    place = ("chips", "ci@chips")
    with pytest.raises(NotAllowed):
        issue_service_token(services, city.chips.member, *place, name="mine")
    with pytest.raises(ProjectNotFound):
        end_service(services, city.rivals.lead, *place)
    with pytest.raises(NotFound):
        end_service(services, city.rivals.lead, "rivals", "ci@chips")
    change_service(services, city.chips.lead, *place, ServiceChange(owners=["chips-member"]))
    issue_service_token(services, city.chips.member, *place, name="mine")
    with pytest.raises(NotAllowed):
        change_service(services, city.chips.member, *place, ServiceChange(valid_days=365))
    now = services.clock.now()
    with services.reading() as session:
        [seen] = list_project_services(session, city.chips.member, "chips", at=now)
        assert seen.may_handle
        with pytest.raises(ProjectNotFound):
            list_project_services(session, city.rivals.lead, "chips", at=now)
        with pytest.raises(NotAllowed):
            list_all_services(session, city.chips.lead, at=now)
        assert [one.username for one in list_all_services(session, OPERATOR, at=now)] == ["ci@chips"]


def test_what_makes_no_sense_is_refused_and_nothing_changes(story: Story) -> None:
    before = deeds(story)
    for new, field in (
        (NewService("CI", "x"), "name"),
        (NewService("ci@rivals", "x"), "name"),
        (NewService("ci", ""), "purpose"),
        (NewService("ci", "x", valid_days=366), "valid_days"),
        (NewService("ci", "x", owners=["rivals-lead"]), "owners"),
        (NewService("ci", "x", owners=["nobody-at-all"]), "owners"),
    ):
        with pytest.raises(InvalidEntry) as refused:
            create(story, new)
        assert [problem.field for problem in refused.value.problems] == [field]
    assert deeds(story) == before


def test_a_token_is_for_jobs_or_to_look_and_a_year_at_most(story: Story) -> None:
    create(story)
    for days, scope in ((366, TokenScope.JOBS), (0, TokenScope.JOBS), (30, TokenScope.EVERYTHING)):
        with pytest.raises(InvalidEntry):
            issue(story, days=days, scope=scope)
    assert record(story).tokens == ()
