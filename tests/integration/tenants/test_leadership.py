"""Leadership passes to another member; nobody but an administrator leaves a project without a lead."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_project_members
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.errors import InvalidEntry, NobodyLeads, NotAllowed, NotFound, ProjectNotFound
from hpc_portal.app.services import Services
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.app.tenants.hand_over import HandOver, hand_over_organisation, hand_over_project
from tests.integration.app.conftest import Story


def reload(services: Services, actor: Actor) -> Actor:
    with services.reading() as session:
        found = load_actor(session, actor.user_id)
    assert found
    return found


def roles(story: Story) -> dict[str, str]:
    with story.city.services.reading() as session:
        return {one.username: one.role for one in list_project_members(session, OPERATOR, "chips")}


def test_a_lead_hands_the_project_over_to_a_member(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    assert hand_over_project(services, chips.lead, "chips", HandOver("chips-member"))
    assert roles(story) == {"chips-lead": "member", "chips-member": "lead"}
    with pytest.raises(NotAllowed):
        hand_over_project(services, reload(services, chips.lead), "chips", HandOver("chips-lead"))
    assert not hand_over_project(services, OPERATOR, "chips", HandOver("chips-member", "chips-lead"))
    assert roles(story) == {"chips-lead": "member", "chips-member": "lead"}


def test_only_a_member_can_take_over_and_strangers_learn_nothing(story: Story) -> None:
    services, city = story.city.services, story.city
    for successor in ("rivals-lead", "nobody-at-all", ""):
        with pytest.raises(InvalidEntry, match="Choose an active member"):
            hand_over_project(services, city.chips.lead, "chips", HandOver(successor))
    with pytest.raises(InvalidEntry, match="Say who hands it over"):
        hand_over_project(services, city.chips.lead, "chips", HandOver("chips-lead"))
    with pytest.raises(NotAllowed):
        hand_over_project(services, city.chips.member, "chips", HandOver("chips-member"))
    with pytest.raises(ProjectNotFound):
        hand_over_project(services, city.rivals.lead, "chips", HandOver("chips-member"))
    assert roles(story) == {"chips-lead": "lead", "chips-member": "member"}


def test_the_last_lead_cannot_leave_unless_an_administrator_says_so(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    for role in (ProjectRole.MEMBER, None):
        with pytest.raises(NobodyLeads, match="chips would have no lead"):
            set_project_membership(services, lead, account="chips", username="chips-lead", role=role)
    assert roles(story)["chips-lead"] == "lead"
    set_project_membership(services, OPERATOR, account="chips", username="chips-lead", role=None)
    assert roles(story) == {"chips-member": "member"}


def test_of_two_leads_who_leave_at_once_one_stays(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    set_project_membership(
        services, chips.lead, account="chips", username="chips-member", role=ProjectRole.LEAD
    )
    people = [chips.lead, reload(services, chips.member)]

    def leave(actor: Actor) -> bool:
        try:
            set_project_membership(
                services, actor, account="chips", username=actor.username, role=ProjectRole.MEMBER
            )
        except NobodyLeads:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(leave, people)) == [False, True]
    assert sorted(roles(story).values()) == ["lead", "member"]


def test_an_organisation_keeps_a_manager_and_its_projects_their_leads(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    set_organisation_membership(
        services, OPERATOR, organisation="chips-org", username="chips-member", role=OrganisationRole.MANAGER
    )
    boss = reload(services, chips.member)
    with pytest.raises(NobodyLeads, match="chips-org would have no manager"):
        set_organisation_membership(
            services, boss, organisation="chips-org", username="chips-member", role=OrganisationRole.MEMBER
        )
    with pytest.raises(NobodyLeads, match="chips would have no lead"):
        set_organisation_membership(
            services, boss, organisation="chips-org", username="chips-lead", role=None
        )
    hand_over_organisation(services, boss, "chips-org", HandOver("chips-lead"))
    assert reload(services, chips.lead).organisations[chips.organisation_id] is OrganisationRole.MANAGER
    assert reload(services, chips.member).organisations[chips.organisation_id] is OrganisationRole.MEMBER
    with pytest.raises(NotFound):
        hand_over_organisation(services, story.city.rivals.lead, "chips-org", HandOver("chips-member"))


def test_a_manager_and_an_administrator_may_hand_over_for_a_lead_who_is_gone(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    set_organisation_membership(
        services, OPERATOR, organisation="chips-org", username="chips-member", role=OrganisationRole.MANAGER
    )
    boss = reload(services, chips.member)
    takes: Callable[[str, Actor], bool] = lambda who, actor: hand_over_project(  # noqa: E731 - read twice below
        services, actor, "chips", HandOver(who)
    )
    assert takes("chips-member", boss)
    assert takes("chips-lead", OPERATOR)
    assert roles(story) == {"chips-lead": "lead", "chips-member": "member"}
