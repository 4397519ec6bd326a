"""People of a project and of an organisation on their pages: invited, given roles, led by somebody else."""

import re

from sqlalchemy import select, update
from sqlmodel import col

from hpc_portal.app.db import transact
from hpc_portal.app.tables import OrganisationMember, OrganisationRole, ProjectMember, ProjectRole
from tests.integration.api.conftest import Portal
from tests.integration.api.test_change_email import post
from tests.integration.api.test_sessions import browser


def test_people_are_invited_given_roles_and_led_by_somebody_else_on_both_pages(portal: Portal) -> None:
    chips = portal.city.chips

    def role_in_project() -> ProjectRole | None:
        with portal.city.services.engine.connect() as connection:
            mine = select(col(ProjectMember.role)).where(col(ProjectMember.user_id) == chips.member.user_id)
            return connection.execute(mine).scalar()

    leads = update(OrganisationMember).where(col(OrganisationMember.user_id) == chips.lead.user_id)
    transact(
        portal.city.services.engine,
        lambda connection: connection.execute(leads.values(role=OrganisationRole.MANAGER)),
    )
    with browser(portal, "here", who="lead") as here:
        for place, role in (("/projects/chips", "member"), ("/organisations/chips-org", "manager")):
            wrong = post(here, f"{place}/invite", emails="nobody at all", role=role)
            assert (wrong.status_code, "nobody at all" in wrong.text) == (422, True)
            sent = post(here, f"{place}/invite", emails="moi@example.vn, hai@example.vn", role=role)
            links = set(re.findall(r"/invitations/([\w-]{43})\b", sent.text))
            assert (sent.status_code, len(links)) == (200, 2)
            assert "moi@example.vn" in here.get(f"{place}/members").text
        assert post(here, "/projects/chips/members/chips-member", role="lead").status_code == 303
        assert role_in_project() is ProjectRole.LEAD
        handed = post(
            here, "/organisations/chips-org/hand-over", successor="chips-member", former="chips-lead"
        )
        assert handed.status_code == 303, handed.text
        assert post(here, "/projects/chips/members/chips-member", role="").status_code == 303
        assert role_in_project() is None
