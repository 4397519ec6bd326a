"""Invitations by e-mail: good once, for a while, and telling nobody who has an account."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_project_members
from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.errors import (
    InvalidEntry,
    InvitationOver,
    NameTaken,
    NotAllowed,
    NotFound,
    TenantClosed,
    TooManyInvitations,
)
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.tables import OrganisationRole, ProjectRole, User
from hpc_portal.app.tenants import invite as limits
from hpc_portal.app.tenants.accept_invitation import (
    NewPerson,
    accept_as_new_person,
    accept_invitation,
    show_invitation,
)
from hpc_portal.app.tenants.change_state import StateChange, change_project_state
from hpc_portal.app.tenants.invite import (
    Invited,
    Invitees,
    invite,
    resend_invitation,
    revoke_invitation,
)
from hpc_portal.app.tenants.tables import Invitation
from quotas.tables import TenantState
from tests.integration.app.conftest import Story

ADDRESS = "lan@example.edu.vn"
NEW = NewPerson("lan", "Trần Thị Lan", "correct horse battery")


def one(story: Story, *, role: str = "member", email: str = ADDRESS, actor: Actor | None = None) -> Invited:
    wanted = Invitees([email], role, project="chips")
    (found,) = invite(story.city.services, actor or story.city.chips.lead, wanted)
    return found


def secret(invited: Invited) -> str:
    return invited.link.rpartition("/")[2]


def mails(story: Story) -> list[Any]:
    with story.city.services.engine.connect() as connection:
        return list(connection.execute(select(Mail.__table__).order_by(col(Mail.id))))  # type: ignore[attr-defined]


def members(story: Story) -> dict[str, str]:
    with story.city.services.reading() as session:
        return {person.username: person.role for person in list_project_members(session, OPERATOR, "chips")}


def reload(story: Story, user_id: UUID) -> Actor:
    with story.city.services.reading() as session:
        found = load_actor(session, user_id)
    assert found
    return found


def test_a_new_person_makes_an_account_and_is_a_member_at_once(story: Story) -> None:
    services, chips = story.city.services, story.city.chips
    invited = one(story)
    offered = show_invitation(services, secret(invited))
    assert (offered.organisation, offered.account, offered.role) == ("Chips JSC", "chips", "member")
    (mail,) = mails(story)
    assert (mail.address, mail.facts["link"], mail.user_id) == (ADDRESS, invited.link, None)
    joined = accept_as_new_person(services, secret(invited), NEW)
    assert authenticate(services, "lan", NEW.password) == joined.user_id
    lan = reload(story, joined.user_id)
    assert lan.organisations == {chips.organisation_id: OrganisationRole.MEMBER}
    assert lan.projects == {chips.project_id: ProjectRole.MEMBER}
    with pytest.raises(InvitationOver):
        accept_as_new_person(services, secret(invited), NewPerson("other", "Other", NEW.password))


def test_a_signed_in_person_accepts_with_the_account_that_they_have(story: Story) -> None:
    services, stranger = story.city.services, story.city.rivals.member
    joined = accept_invitation(services, stranger, secret(one(story, role="lead")))
    assert joined.account == "chips"
    assert members(story)["rivals-member"] == "lead"


def test_accepting_takes_no_role_away(story: Story) -> None:
    accept_invitation(story.city.services, story.city.chips.lead, secret(one(story)))
    assert members(story)["chips-lead"] == "lead"


def test_who_invites_cannot_tell_whether_an_address_has_an_account(story: Story) -> None:
    with story.city.services.engine.begin() as connection:
        connection.execute(
            update(User).where(col(User.id) == story.city.rivals.lead.user_id).values(email="known@x.vn")
        )
    answers = [asdict(one(story, email=email)) for email in ("known@x.vn", "nobody@x.vn")]
    for answer in answers:
        answer.pop("id")
        answer.pop("email")
        answer["link"] = len(answer["link"])
    assert answers[0] == answers[1]
    first, second = mails(story)
    assert (first.facts.keys(), first.user_id) == (second.facts.keys(), second.user_id)


def test_the_table_keeps_no_link_that_works(story: Story) -> None:
    invited = one(story)
    with story.city.services.engine.connect() as connection:
        stored = connection.execute(select(Invitation.__table__)).one()  # type: ignore[attr-defined]
    assert secret(invited) not in str(stored)
    assert secret(invited) not in repr(invited)


def test_a_link_is_good_for_two_weeks(story: Story) -> None:
    services, invited = story.city.services, one(story)
    story.clock.advance(timedelta(days=14).total_seconds() - 1)
    show_invitation(services, secret(invited))
    story.clock.advance(1)
    for act in (
        lambda: show_invitation(services, secret(invited)),
        lambda: accept_invitation(services, story.city.rivals.lead, secret(invited)),
        lambda: accept_as_new_person(services, secret(invited), NEW),
        lambda: show_invitation(services, "guess"),
    ):
        with pytest.raises(InvitationOver):
            act()
    assert "lan" not in members(story)


def test_a_new_link_makes_the_old_one_worthless(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    old = one(story)
    assert one(story).link == "", "a moment later nothing is sent again"
    with pytest.raises(TooManyInvitations):
        resend_invitation(services, lead, old.id)
    assert len(mails(story)) == 1
    story.clock.advance(300)
    new = resend_invitation(services, lead, old.id)
    assert (new.id, len(mails(story))) == (old.id, 2)
    with pytest.raises(InvitationOver):
        show_invitation(services, secret(old))
    show_invitation(services, secret(new))


def test_a_revoked_link_is_worthless_and_the_address_can_be_invited_again(story: Story) -> None:
    services, lead = story.city.services, story.city.chips.lead
    invited = one(story)
    assert [revoke_invitation(services, lead, invited.id) for _ in range(2)] == [True, False]
    story.clock.advance(300)
    with pytest.raises(NotFound):
        resend_invitation(services, lead, invited.id)
    with pytest.raises(InvitationOver):
        accept_as_new_person(services, secret(invited), NEW)
    again = one(story)
    assert again.id != invited.id
    accept_as_new_person(services, secret(again), NEW)
    with pytest.raises(NotFound):
        revoke_invitation(services, lead, again.id)


def test_of_many_who_use_one_link_at_once_one_gets_the_place(story: Story) -> None:
    services, link = story.city.services, secret(one(story))

    def use(number: int) -> bool:
        try:
            accept_as_new_person(services, link, NewPerson(f"lan{number}", "Lan", NEW.password))
        except InvitationOver:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(4))) == 1
    with services.engine.connect() as connection:
        made = connection.scalars(select(col(User.username)).where(col(User.username).like("lan%"))).all()
    assert len(made) == 1, "whoever comes too late has no account either"


def test_two_who_invite_the_same_address_at_once_send_one_mail(story: Story) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: one(story), range(4)))
    assert sum(bool(invited.link) for invited in found) == 1
    assert len(mails(story)) == 1


def test_only_who_manages_the_members_invites_and_strangers_see_nothing(story: Story) -> None:
    services, city = story.city.services, story.city
    with pytest.raises(NotAllowed):
        one(story, actor=city.chips.member)
    for wanted in (
        Invitees([ADDRESS], "member", project="chips"),
        Invitees([ADDRESS], "member", organisation="chips-org"),
        Invitees([ADDRESS], "member", project="no-such"),
    ):
        with pytest.raises(NotFound):
            invite(services, city.rivals.lead, wanted)
    invited = one(story)
    for act in (resend_invitation, revoke_invitation):
        with pytest.raises(NotFound, match="invitation"):
            act(services, city.rivals.lead, invited.id)
    with pytest.raises(NotFound):  # a project's lead does not bring managers into the organisation
        invite(services, city.chips.lead, Invitees([ADDRESS], "manager", organisation="chips-org"))


NONSENSE: tuple[tuple[list[str], str, str], ...] = (
    ([], "member", "emails"),
    (["no address"], "member", "emails"),
    (["a@b.vn,c@d.vn"], "member", "emails"),
    (["x" * 300 + "@b.vn"], "member", "emails"),
    (["a@b.vn\r\nBcc: c@d.vn"], "member", "emails"),
    ([f"a{number}@b.vn" for number in range(301)], "member", "emails"),
    ([ADDRESS], "manager", "role"),
    ([ADDRESS], "", "role"),
)


@pytest.mark.parametrize(("emails", "role", "field"), NONSENSE, ids=range(len(NONSENSE)))
def test_what_makes_no_sense_invites_nobody(story: Story, emails: list[str], role: str, field: str) -> None:
    with pytest.raises(InvalidEntry) as error:
        invite(story.city.services, story.city.chips.lead, Invitees(emails, role, project="chips"))
    assert [problem.field for problem in error.value.problems] == [field]
    with pytest.raises(InvalidEntry):
        invite(story.city.services, story.city.chips.lead, Invitees([ADDRESS], "member"))
    assert mails(story) == []


def test_nobody_floods_strangers(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_A_DAY", 2)
    for number in range(2):
        one(story, email=f"a{number}@b.vn")
    with pytest.raises(TooManyInvitations, match="at most 2 invitations by one person in a day"):
        one(story, email="a3@b.vn")
    story.clock.advance(86_401)
    one(story, email="a3@b.vn")
    monkeypatch.setattr(limits, "MOST_OPEN", 3)
    with pytest.raises(TooManyInvitations, match="open for one organisation"):
        one(story, email="a4@b.vn")


def test_a_closed_project_takes_nobody_in(story: Story) -> None:
    services, invited = story.city.services, one(story)
    change_project_state(services, OPERATOR, "chips", StateChange(TenantState.CLOSED, "over"))
    with pytest.raises(InvitationOver):
        accept_as_new_person(services, secret(invited), NEW)
    with pytest.raises(TenantClosed):
        one(story, email="other@b.vn")


def test_a_name_that_is_taken_leaves_the_invitation_open(story: Story) -> None:
    services, invited = story.city.services, one(story)
    with pytest.raises(NameTaken):
        accept_as_new_person(services, secret(invited), NewPerson("rivals-lead", "Lan", NEW.password))
    with pytest.raises(InvalidEntry, match="password"):
        accept_as_new_person(services, secret(invited), NewPerson("lan", "Lan", "short"))
    accept_as_new_person(services, secret(invited), NEW)


def test_what_is_rolled_back_sent_nothing(story: Story) -> None:
    emails = [ADDRESS, "broken"]
    with pytest.raises(InvalidEntry):
        invite(story.city.services, story.city.chips.lead, Invitees(emails, "member", project="chips"))
    assert mails(story) == []
