"""Places in projects that groups of the identity provider give, and those that somebody gave by hand."""

from collections.abc import Callable, Iterable
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.external_person import person_of
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_organisation_members, list_project_members
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.accounts.sign_in_external import sign_in_external
from hpc_portal.app.actor import load_actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.settings import IdentityPlace, IdentityProject, IdentitySettings
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.app.tenants.change_state import JobsThen, StateChange, change_project_state
from quotas.tables import TenantState
from schedulers.jobspec import JobSpec
from schedulers.jobstate import JobState
from tests.integration.app.conftest import Story

IDENTITY = IdentitySettings(
    issuer="https://id.example.vn",
    client_id="hpc",
    projects=[
        IdentityProject(group="chip-team", project="chips"),
        IdentityProject(group="chip-leads", project="chips", role="lead"),
        IdentityProject(group="rival-team", project="rivals"),
        IdentityProject(group="chip-team", project="no-such-project"),
    ],
)


@pytest.fixture
def come(story: Story) -> Callable[[Iterable[str]], UUID]:
    """Hoa signs in with these groups."""
    return lambda groups: sign_in(story, groups)


def sign_in(story: Story, groups: Iterable[str], identity: IdentitySettings = IDENTITY) -> UUID:
    claims = {"sub": "s1", "preferred_username": "hoa", "name": "Hoa", "groups": list(groups)}
    return sign_in_external(story.city.services, identity, person_of(claims, identity))


def place(story: Story, account: str = "chips") -> str | None:
    with story.city.services.reading() as session:
        found = list_project_members(session, OPERATOR, account)
    return next((one.role for one in found if one.username == "hoa"), None)


def deeds(story: Story) -> list[tuple[str, object, object]]:
    with story.city.services.engine.connect() as connection:
        rows = connection.execute(
            select(col(AuditRecord.subject), col(AuditRecord.facts))
            .where(col(AuditRecord.action) == "project.member_set")
            .order_by(col(AuditRecord.sequence))
        )
        return [(row.subject, row.facts["role"], row.facts.get("because")) for row in rows]


def test_places_follow_the_groups_and_the_audit_log_says_why(
    story: Story, come: Callable[[Iterable[str]], UUID]
) -> None:
    for groups, role in (
        (["chip-team"], "member"),
        (["chip-team"], "member"),
        (["chip-team", "chip-leads"], "lead"),
        ([], None),
        ([], None),
    ):
        come(groups)
        assert place(story) == role
    assert deeds(story) == [
        ("chips/hoa", "member", "group chip-team"),
        ("chips/hoa", "lead", "group chip-leads"),
        ("chips/hoa", None, "no group gives it any more"),
    ]
    with story.city.services.reading() as session:
        members = list_organisation_members(session, OPERATOR, "chips-org")
    assert ("hoa", "member") in [(one.username, one.role) for one in members]
    assert place(story, "rivals") is None


def test_what_somebody_gave_by_hand_stays_whatever_the_groups_say(
    story: Story, come: Callable[[Iterable[str]], UUID]
) -> None:
    services = story.city.services
    come(["chip-team"])
    set_project_membership(services, OPERATOR, account="chips", username="hoa", role=ProjectRole.LEAD)
    for groups in (["chip-team"], []):
        come(groups)
        assert place(story) == "lead"
    set_organisation_membership(
        services, OPERATOR, organisation="rivals-org", username="hoa", role=OrganisationRole.MEMBER
    )
    set_project_membership(services, OPERATOR, account="rivals", username="hoa", role=ProjectRole.MEMBER)
    come([])
    assert place(story, "rivals") == "member"


def test_jobs_of_who_loses_a_place_go_on_and_nothing_new_is_submitted(
    story: Story, come: Callable[[Iterable[str]], UUID]
) -> None:
    user_id = come(["chip-team"])
    with story.city.services.reading() as session:
        hoa = load_actor(session, user_id)
    assert hoa
    job_id = story.submit(JobSpec(name="a", argv=["true"]), actor=hoa)
    story.step()
    come([])
    story.step()
    assert (story.job(job_id).state, story.job(job_id).cancel_requested_at) == (JobState.RUNNING, None)
    with story.city.services.reading() as session:
        now = load_actor(session, user_id)
    assert now
    assert not now.projects


def test_an_organisation_by_group_keeps_who_has_a_project_by_group(story: Story) -> None:
    both = IDENTITY.model_copy(update={"places": [IdentityPlace(group="dut", organisation="chips-org")]})
    for groups, role in ((["chip-team"], "member"), (["chip-team"], "member"), ([], None)):
        sign_in(story, groups, both)
        assert place(story) == role
    assert deeds(story) == [("chips/hoa", "member", "group chip-team")], "it did not go to and fro"


def test_a_mapping_that_is_gone_gives_nothing_and_a_closed_project_takes_nobody(story: Story) -> None:
    sign_in(story, ["chip-team", "rival-team"])
    sign_in(story, ["chip-team", "rival-team"], IDENTITY.model_copy(update={"projects": []}))
    assert (place(story), place(story, "rivals")) == (None, None)
    change_project_state(
        story.city.services, OPERATOR, "chips", StateChange(TenantState.CLOSED, "over", JobsThen.KEEP)
    )
    sign_in(story, ["chip-team", "rival-team"])
    assert (place(story), place(story, "rivals")) == (None, "member")


def test_a_mapping_that_makes_no_sense_fails_at_start() -> None:
    for wrong in ({"group": "a"}, {"group": "a", "project": "b", "role": "owner"}):
        with pytest.raises(ValidationError):
            IdentityProject.model_validate(wrong)
