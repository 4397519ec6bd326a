"""An administrator takes on an organisation, people, a project and a budget with forms."""

import html
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel, col

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_cluster_accounts, list_places
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.errors import WrongCredentials
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import (
    ClusterAccount,
    GlobalRole,
    OrganisationMember,
    OrganisationRole,
    ProjectMember,
    ProjectRole,
    User,
)
from quotas.tables import Allocation, AllocationLine, Organisation, Project
from schedulers.units import CITY_TIME
from tests.integration.api.conftest import Portal
from tests.integration.api.refused_entries import DAY, GRANT, PERSON, REFUSED, SLURM
from tests.integration.api.test_change_email import post
from tests.integration.api.test_sessions import browser
from tests.small_city import City, build_city

WRITTEN: tuple[type[SQLModel], ...] = (
    *(Organisation, Project, User, OrganisationMember, ProjectMember),
    *(Allocation, ClusterAccount, AuditRecord),
)


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    """One with a cluster that gives out accounts of its own."""
    slurm = SlurmSettings(url="http://127.0.0.1:1", jwt_key=Path("/nowhere"))
    city = build_city(database_url, tmp_path, clock=SystemClock(), slurm=slurm)
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


@pytest.fixture
def admin(portal: Portal) -> Iterator[httpx.Client]:
    with signed_in(portal, GlobalRole.ADMINISTRATOR) as client:
        yield client


def signed_in(portal: Portal, role: GlobalRole) -> httpx.Client:
    """A member of the chips startup, who now has this role in the city."""
    is_theirs = col(User.id) == portal.city.chips.member.user_id
    change = update(User).where(is_theirs).values(global_role=role)
    transact(portal.city.services.engine, lambda connection: connection.execute(change))
    client = browser(portal, "here")
    client.cookies.set("locale", "en")
    return client


def written(portal: Portal) -> list[int]:
    with portal.city.services.engine.connect() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in WRITTEN]


def said_at(page: str, field: str) -> str:
    """What stands at a field."""
    found = re.search(rf'id="e-{re.escape(field)}">([^<]*)<', page)
    assert found, f"nothing is said at {field}"
    return html.unescape(found[1])


def test_a_grant_that_was_changed_after_going_back_is_another_one(admin: httpx.Client) -> None:
    page = admin.get("/allocations/new?project=chips").text
    key = re.search('name="key" value="([^"]+)"', page)
    assert key
    form = {**GRANT, "project": "chips", "amount.VND": "5.000.000"}
    later = {**form, "last_day": f"{int(form['last_day'][:4]) + 1}{form['last_day'][4:]}"}
    more = {**form, "amount.VND": "6.000.000"}
    sent = [post(admin, "/allocations", **one, key=key[1]) for one in (form, form, later, more)]
    first, again, longer, larger = (one.headers["location"] for one in sent)
    assert first == again
    assert len({first, longer, larger}) == 3


def test_an_organisation_its_lead_a_project_and_a_budget_are_taken_on(
    portal: Portal, admin: httpx.Client
) -> None:
    services = portal.city.services
    made = post(admin, "/admin/organisations", slug="dut", name="Bách khoa", kind="university")
    assert (made.status_code, made.headers["location"]) == (303, "/organisations/dut")
    hoa = post(admin, "/admin/people", **PERSON, email="hoa@dut.vn", password="a password of hers")
    assert (hoa.status_code, "data-password" in hoa.text) == (200, False), hoa.text
    assert "a password of hers" not in hoa.text
    opened = post(admin, "/admin/projects", organisation="dut", account="dut-vlsi", name="VLSI", lead="hoa")
    assert opened.headers["location"] == "/allocations/new?project=dut-vlsi&made=1"
    form = {**GRANT, "project": "dut-vlsi", "amount.VND": "5.000.000", "amount.cpu": "1.500,5"}
    key = re.search('name="key" value="([^"]+)"', admin.get(opened.headers["location"]).text)
    assert key
    granted = [post(admin, "/allocations", **form, key=key[1]) for _ in range(2)]
    assert granted[0].headers["location"] == granted[1].headers["location"], "sent twice, granted once"

    lead = authenticate(services, "hoa", "a password of hers")
    with services.engine.connect() as connection:
        places = connection.execute(
            select(col(Organisation.slug), col(OrganisationMember.role))
            .join(OrganisationMember, col(OrganisationMember.organisation_id) == col(Organisation.id))
            .where(col(OrganisationMember.user_id) == lead)
            .order_by(col(Organisation.slug))
        ).all()
        leads = connection.execute(
            select(col(Project.account), col(ProjectMember.role))
            .join(ProjectMember, col(ProjectMember.project_id) == col(Project.id))
            .where(col(ProjectMember.user_id) == lead)
        ).all()
        lines = connection.execute(
            select(col(AllocationLine.asset), col(AllocationLine.granted), col(Allocation.valid_to))
            .join(Allocation, col(Allocation.id) == col(AllocationLine.allocation_id))
            .join(Project, col(Project.id) == col(Allocation.project_id))
            .where(col(Project.account) == "dut-vlsi")
        ).all()
    member = OrganisationRole.MEMBER
    assert [tuple(row) for row in places] == [("chips-org", member), ("dut", member)]
    assert [tuple(row) for row in leads] == [("dut-vlsi", ProjectRole.LEAD)]
    end = datetime.combine(DAY + timedelta(days=91), datetime.min.time(), CITY_TIME).astimezone(UTC)
    assert {row.asset: row.granted for row in lines} == {"VND": 5_000_000, "cpu": 1500 * 3600 + 1800}
    assert {row.valid_to for row in lines} == {end}
    with services.reading() as session:
        deeds = [(one.action, one.subject) for one in list_audit(session, OPERATOR).items]
    assert deeds[:7] == [
        ("budget.granted", "dut-vlsi"),
        ("project.member_set", "dut-vlsi/hoa"),
        ("organisation.member_set", "dut/hoa"),
        ("project.created", "dut-vlsi"),
        ("organisation.member_set", "chips-org/hoa"),
        ("user.created", "hoa"),
        ("organisation.created", "dut"),
    ]


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_changed(
    portal: Portal, admin: httpx.Client
) -> None:
    before = written(portal)
    wrong: list[object] = []
    for path, form, field, *said in REFUSED:
        for language, text in zip(("en", "vi"), said, strict=True):
            admin.cookies.set("locale", language)
            answer = post(admin, path, **form)
            told = (answer.status_code, said_at(answer.text, field))
            if told != (422, text) or written(portal) != before:
                wrong.append((path, form, told, text))
        wrong += [(path, form, "is gone", name) for name in typed(form) if form[name] not in kept(answer)]
        if form.get("password", "nothing") in answer.text:
            wrong.append((path, form, "is repeated", "password"))
    assert wrong == []


def typed(form: Mapping[str, str]) -> set[str]:
    """The fields with what somebody wrote."""
    choices = {"kind", "role", "global_role", "organisation", "project", "cluster"}
    return {name for name in form.keys() - choices if name != "password" and form[name].strip()}


def kept(answer: httpx.Response) -> list[str]:
    """What stands in the form that comes back."""
    found = re.findall(r'value="([^"]*)"|<textarea[^>]*>([^<]*)<', answer.text)
    return [html.unescape(value or text) for value, text in found]


def test_a_password_that_the_portal_makes_is_shown_once_and_lets_in(
    portal: Portal, admin: httpx.Client
) -> None:
    services = portal.city.services
    shown = re.search(r"data-password>([^<]+)<", post(admin, "/admin/people", **PERSON).text)
    assert shown
    hoa = authenticate(services, "hoa", shown[1])
    assert shown[1] not in admin.get("/admin/people/hoa/access").text
    with browser(portal, "theirs", who="lead") as theirs:
        assert theirs.get("/settings").status_code == 200
        reset = post(admin, "/admin/people/chips-lead/password")
        assert theirs.get("/settings").status_code == 401, "they are signed out"
    again = re.search(r"data-password>([^<]+)<", reset.text)
    assert again
    assert authenticate(services, "chips-lead", again[1]) == portal.city.chips.lead.user_id
    post(admin, "/admin/people/hoa/password", password="another good one")
    assert authenticate(services, "hoa", "another good one") == hoa
    with pytest.raises(WrongCredentials):
        authenticate(services, "hoa", shown[1])
    assert post(admin, "/admin/people/nobody/password").status_code == 404


def test_ones_own_password_takes_the_present_one(portal: Portal, admin: httpx.Client) -> None:
    page, new = "/admin/people/chips-member", "whoever stole the browser"
    assert "/password" not in admin.get(f"{page}/access").text, "none is offered"
    for language, text in (
        ("en", "Change your own one in the settings, with the present one."),
        ("vi", "Hãy tự đổi mật khẩu của mình trong phần cài đặt, bằng mật khẩu hiện tại."),
    ):
        admin.cookies.set("locale", language)
        answer = post(admin, f"{page}/password", password=new)
        assert (answer.status_code, said_at(answer.text, "password")) == (422, text)
    with portal.client(portal.city.chips.member) as client:
        refused = client.put("/api/v1/users/chips-member/password", json={"new": new})
        other = client.put("/api/v1/users/chips-lead/password", json={"new": new})
    assert (refused.status_code, other.status_code) == (422, 204), refused.text
    assert authenticate(portal.city.services, "chips-lead", new) == portal.city.chips.lead.user_id
    with pytest.raises(WrongCredentials):
        authenticate(portal.city.services, "chips-member", new)


def test_who_has_an_account_is_given_places(portal: Portal, admin: httpx.Client) -> None:
    person = "/admin/people/rivals-member"
    offered = admin.get(f"{person}/access").text
    assert 'value="chips"' not in offered, "only projects of their own organisations"
    given = post(admin, f"{person}/organisations", organisation="chips-org", organisation_role="manager")
    assert (given.status_code, given.headers["location"]) == (303, f"{person}/access")
    assert 'value="chips"' in admin.get(f"{person}/access").text
    assert post(admin, f"{person}/projects", project="chips", project_role="lead").status_code == 303
    with portal.city.services.reading() as session:
        places = list_places(session, OPERATOR, "rivals-member")
    assert [(place.organisation, place.account, place.role) for place in places] == [
        ("chips-org", "", "manager"),
        ("chips-org", "chips", "lead"),
        ("rivals-org", "", "member"),
        ("rivals-org", "rivals", "member"),
    ]
    before = written(portal)
    for path, form in (
        ("organisations", {"organisation": "", "organisation_role": "member"}),
        ("organisations", {"organisation": "chips-org", "organisation_role": "lead"}),
        ("projects", {"project": "chips", "project_role": "manager"}),
    ):
        refused = post(admin, f"{person}/{path}", **form)
        assert said_at(refused.text, path[:-1]) == "Choose one of the offered values."
    assert written(portal) == before


def test_an_account_on_a_cluster_is_set_and_removed(portal: Portal, admin: httpx.Client) -> None:
    def accounts() -> list[tuple[str, str, int]]:
        with portal.city.services.reading() as session:
            found = list_cluster_accounts(session, OPERATOR)
        return [(one.username, one.cluster_user, one.uid) for one in found]

    path = "/admin/people/chips-lead/clusters"
    set_ = post(admin, path, cluster=SLURM, cluster_user="lead", uid="5000")
    assert (set_.status_code, accounts()) == (303, [("chips-lead", "lead", 5000)])
    taken = post(admin, "/admin/people/rivals-lead/clusters", cluster=SLURM, cluster_user="lead", uid="5001")
    assert said_at(taken.text, "cluster_user") == "lead is taken. Choose another name."
    page = admin.get(set_.headers["location"]).text
    assert f'action="{path}/{SLURM}/remove"' in page
    assert post(admin, f"{path}/{SLURM}/remove").status_code == 303
    assert accounts() == []


def test_auditors_look_and_are_offered_nothing(portal: Portal) -> None:
    with signed_in(portal, GlobalRole.AUDITOR) as auditor:
        for address in (
            "/admin",
            "/admin/organisations",
            "/admin/projects",
            "/admin/people",
            "/admin/people/chips-lead/access",
            "/allocations",
            "/organisations/chips-org",
        ):
            page = auditor.get(address)
            assert page.status_code == 200
            offered = re.findall(
                r'(?:href="/(?:admin|allocations)[^"]*/new\b|"post" action="/admin)[^"]*', page.text
            )
            assert offered == [], address


def test_a_service_account_has_no_password_to_set(portal: Portal, admin: httpx.Client) -> None:
    with portal.client(portal.city.chips.lead) as lead:
        robot = lead.post(
            "/api/v1/projects/chips/service-accounts", json={"name": "ci", "purpose": "nightly"}
        ).json()["username"]
    assert "/password" not in admin.get(f"/admin/people/{robot}/access").text
    assert post(admin, f"/admin/people/{robot}/password").status_code == 404
