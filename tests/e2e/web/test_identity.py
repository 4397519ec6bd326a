"""Sign in with the city's identity, against a certified OpenID Connect provider, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from hpc_portal.app.accounts.tables import PendingSignIn
from hpc_portal.app.settings import IdentitySettings
from hpc_portal.app.tables import GlobalRole, OrganisationMember, OrganisationRole, ProjectMember, User
from tests.e2e.web.city import PASSWORD, build_city
from tests.e2e.web.conftest import note_complaints
from tests.e2e.web.identity_site import Site, go_through_provider, running_site, sign_in
from tests.e2e.web.serve import served

pytestmark = pytest.mark.xdist_group("identity")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("identity")) as found:
        yield found


@pytest.fixture
def page(site: Site, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Its parameter: statuses of answers that the browser will complain about."""
    context = browser.new_context(base_url=site.url, locale="en-GB")
    context.add_cookies([{"name": "locale", "value": "en", "url": site.url}])
    complaints: list[str] = []
    page = context.new_page()
    note_complaints(page, complaints, expected=getattr(request, "param", ()), of=site.url)
    yield page
    context.close()
    assert complaints == []


def test_who_comes_for_the_first_time_has_an_account_and_the_places_of_their_groups(
    site: Site, page: Page
) -> None:
    site.tell(s1={"preferred_username": "Hoa.Le", "name": "Lê Thị Hoa", "groups": ["dut"]})

    sign_in(page, "s1", goal="/jobs")

    expect(page).to_have_url(f"{site.url}/jobs")
    [(user_id, name, kept)] = [
        row for row in site.rows(User.id, User.display_name, User.password_hash) if row[1] == "Lê Thị Hoa"
    ]
    assert (name, kept) == ("Lê Thị Hoa", "")
    roles = dict(site.rows(OrganisationMember.user_id, OrganisationMember.role))
    assert roles[user_id] is OrganisationRole.MEMBER
    assert ("hoa.le",) in site.rows(User.username)


def test_places_follow_the_groups_at_each_sign_in(site: Site, page: Page, browser: Browser) -> None:
    def role_after(groups: list[str]) -> tuple[OrganisationRole | None, GlobalRole | None]:
        site.tell(s2={"preferred_username": "nam", "name": "Nam", "groups": groups})
        context = browser.new_context(base_url=site.url, locale="en-GB")
        context.add_cookies([{"name": "locale", "value": "en", "url": site.url}])
        other = context.new_page()
        sign_in(other, "s2")
        expect(other).to_have_url(f"{site.url}/")
        context.close()
        [(user_id, global_role)] = [
            (row[0], row[2]) for row in site.rows(User.id, User.username, User.global_role) if row[1] == "nam"
        ]
        return dict(site.rows(OrganisationMember.user_id, OrganisationMember.role)).get(user_id), global_role

    assert role_after(["dut", "dut-managers"]) == (OrganisationRole.MANAGER, None)
    assert role_after(["dut", "city-admins"]) == (OrganisationRole.MEMBER, GlobalRole.ADMINISTRATOR)
    assert role_after([]) == (None, None)


def test_a_place_in_a_project_follows_its_group_and_one_given_by_hand_stays(
    site: Site, browser: Browser
) -> None:
    def projects_after(groups: list[str]) -> set[tuple[str, bool]]:
        site.tell(s6={"preferred_username": "ngoc", "name": "Ngọc", "groups": groups})
        context = browser.new_context(base_url=site.url, locale="en-GB")
        context.add_cookies([{"name": "locale", "value": "en", "url": site.url}])
        other = context.new_page()
        sign_in(other, "s6")
        expect(other).to_have_url(f"{site.url}/")
        seen = {one["account"] for one in other.request.get("/api/v1/projects").json()["items"]}
        context.close()
        [user_id] = [row[0] for row in site.rows(User.id, User.username) if row[1] == "ngoc"]
        rows = site.rows(ProjectMember.project_id, ProjectMember.user_id, ProjectMember.is_from_identity)
        names = {key: account for account, key in site.city.projects.items()}
        found = {(names[row[0]], row[2]) for row in rows if row[1] == user_id}
        assert seen == {account for account, _ in found}
        return found

    assert projects_after(["npu-team"]) == {("npu-verif", True)}
    assert projects_after(["dut"]) == set()
    with httpx.Client(base_url=f"{site.url}/api/v1", trust_env=False, timeout=30) as lead:
        body = {"username": "linh", "password": PASSWORD}
        token = lead.post("/tokens/sign-in", json=body).json()["token"]
        lead.headers["authorization"] = f"Bearer {token}"
        given = lead.put("/projects/npu-verif/members/ngoc", json={"role": "member"})
        assert given.status_code == 204, given.text
    assert projects_after(["dut"]) == {("npu-verif", False)}


def test_a_name_that_is_taken_or_the_systems_own_gives_another_one(site: Site, page: Page) -> None:
    site.tell(s3={"preferred_username": "linh", "name": "Another Linh"})
    sign_in(page, "s3")
    expect(page).to_have_url(f"{site.url}/")

    names = {row[1]: row[0] for row in site.rows(User.username, User.display_name)}
    assert names["Another Linh"] == "linh2"
    assert names["Another Linh"] != "linh"


def test_an_account_is_linked_by_its_own_person_and_then_opened_by_the_identity(
    site: Site, page: Page, browser: Browser
) -> None:
    site.tell(s4={"preferred_username": "somebody", "name": "Somebody"})
    page.context.request.post("/sign-in", form={"username": "minh", "password": PASSWORD})
    page.goto("/settings")
    page.locator("#identity").get_by_role("button", name="Link").click()
    page.get_by_role("link", name="Go there").click()
    go_through_provider(page, "s4")
    expect(page.locator("#identity")).to_contain_text("Linked since")

    other = browser.new_context(base_url=site.url, locale="en-GB")
    other.add_cookies([{"name": "locale", "value": "en", "url": site.url}])
    fresh = other.new_page()
    sign_in(fresh, "s4")
    expect(fresh).to_have_url(f"{site.url}/")
    assert fresh.request.get("/api/v1/me").json()["username"] == "minh"
    other.close()


def test_an_answer_of_another_browser_or_of_nobody_opens_nothing(site: Site, page: Page) -> None:
    """Login CSRF: an attacker's own code and state, in a victim's browser."""
    page.goto("/sign-in")
    page.get_by_role("link", name="Sign in with Danh tính Đà Nẵng").click()
    page.wait_for_url(f"{site.issuer}/**")
    begun = len(site.rows(PendingSignIn.secret_hash))
    with httpx.Client(base_url=site.url, trust_env=False, timeout=30) as victim:
        refused = victim.get("/sign-in/identity/back", params={"state": "stolen", "code": "stolen"})
        assert refused.status_code == 422
        assert "hpc_session" not in refused.cookies
        forged = victim.post("/sign-in/identity/logout", data={"logout_token": "a.b.c"})
        assert forged.status_code == 400
    assert len(site.rows(PendingSignIn.secret_hash)) == begun


def test_a_provider_out_of_reach_is_said_and_local_accounts_go_on(tmp_path: Path, browser: Browser) -> None:
    city = build_city(tmp_path)
    identity = IdentitySettings(issuer="http://127.0.0.1:1", client_id="hpc-portal")
    with (
        served(city.settings.model_copy(update={"identity": identity})) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as stranger,
    ):
        left = stranger.get("/sign-in/identity", headers={"accept-language": "en"})
        assert left.status_code == 422
        assert "did not answer as it should" in left.text
        signed_in = stranger.post("/sign-in", data={"username": "linh", "password": PASSWORD})
        assert signed_in.headers["location"] == "/"


def test_with_local_sign_in_for_administrators_nobody_else_has_a_password(tmp_path: Path) -> None:
    city = build_city(tmp_path)
    identity = IdentitySettings(
        issuer="http://127.0.0.1:1", client_id="hpc-portal", local_sign_in="administrators"
    )
    with (
        served(city.settings.model_copy(update={"identity": identity})) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as stranger,
    ):
        for username, status in (("linh", 422), ("thanhpho", 303)):
            form = {"username": username, "password": PASSWORD}
            assert stranger.post("/sign-in", data=form).status_code == status


@pytest.mark.parametrize("page", [(422,)], indirect=True)
def test_with_a_second_factor_the_password_alone_opens_nothing(site: Site, page: Page) -> None:
    page.context.request.post("/sign-in", form={"username": "lan", "password": PASSWORD})
    page.goto("/settings")
    page.locator("#second-factor").get_by_role("button", name="Set it up").click()
    secret = page.locator("[data-secret]").inner_text()
    totp = pyotp.TOTP(secret)
    page.get_by_label("Six digits").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    page.locator("#second-factor").get_by_role("button", name="Set it up").click()
    totp = pyotp.TOTP(page.locator("[data-secret]").inner_text())
    page.get_by_label("Six digits").fill(totp.now())
    page.get_by_role("button", name="Confirm").click()
    papers = page.locator(".papers li").all_inner_texts()
    assert len(papers) == 10

    with httpx.Client(base_url=site.url, trust_env=False, timeout=30) as phone:
        form = {"username": "lan", "password": PASSWORD}
        first = phone.post("/sign-in", data=form)
        assert first.headers["location"] == "/sign-in/code"
        assert phone.get("/api/v1/me").status_code == 401
        assert phone.post("/sign-in/code", data={"code": "000000"}).status_code == 422
        assert phone.post("/sign-in/code", data={"code": papers[0]}).status_code == 422, "begin anew"
        phone.post("/sign-in", data=form)
        assert phone.post("/sign-in/code", data={"code": papers[0]}).headers["location"] == "/"
        assert phone.get("/api/v1/me").status_code == 200
        phone.cookies.clear()
        phone.post("/sign-in", data=form)
        assert phone.post("/sign-in/code", data={"code": papers[0]}).status_code == 422, "used already"
        body = {"username": "lan", "password": PASSWORD}
        needed = phone.post("/api/v1/tokens/sign-in", json=body)
        assert (needed.status_code, needed.json()["type"].endswith("second-factor-needed")) == (401, True)
        good = phone.post("/api/v1/tokens/sign-in", json={**body, "code": papers[1]})
        assert good.status_code == 201
