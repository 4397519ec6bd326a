"""A form that makes a secret, sent twice by a double click or F5: the one that is shown is the one stored."""

import html
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pyotp
import pytest
from sqlalchemy import func, select, update
from sqlmodel import SQLModel, col

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.change_settings import change_password
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.second_factor import use_code
from hpc_portal.app.accounts.secret import hash_secret
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.db import transact
from hpc_portal.app.errors import WrongCode, WrongCredentials
from hpc_portal.app.notices.tables import Notice, Webhook
from hpc_portal.app.tables import ApiToken, GlobalRole, User
from tests.integration.api.conftest import Portal
from tests.integration.api.refused_entries import PERSON
from tests.integration.api.test_entry_pages import said_at, signed_in
from tests.integration.api.test_sessions import browser

THEIRS = "a password of their own"
LEAD = "/admin/people/chips-lead"


@pytest.fixture
def admin(portal: Portal) -> Iterator[httpx.Client]:
    with signed_in(portal, GlobalRole.ADMINISTRATOR) as client:
        yield client


def hidden(page: str, action: str) -> dict[str, str]:
    """What the form that is sent there says without being asked."""
    form = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form, f"no form for {action}"
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))


def at_once(client: httpx.Client, path: str, form: Mapping[str, str]) -> list[httpx.Response]:
    """The answers to the same form, sent by two clicks."""
    together = Barrier(2)

    def send(_: int) -> httpx.Response:
        with httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=60) as clicked:
            together.wait()
            return clicked.post(path, data=form)

    with ThreadPoolExecutor(2) as clicks:
        return list(clicks.map(send, range(2)))


def shown(answer: httpx.Response, what: str = "password") -> str:
    """The secret on a page, which must be there."""
    found = re.search(rf"data-{what}>([^<]+)<", answer.text)
    assert found, (answer.status_code, re.findall(r"class=\"alert-box.*", answer.text))
    return html.unescape(found[1])


def count(portal: Portal, table: type[SQLModel]) -> int:
    with portal.city.services.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def deeds(portal: Portal, action: str) -> list[str]:
    with portal.city.services.reading() as session:
        return [one.subject for one in list_audit(session, OPERATOR).items if one.action == action]


def test_of_a_new_person_there_is_one_and_one_password(portal: Portal, admin: httpx.Client) -> None:
    services, path = portal.city.services, "/admin/people"
    people = count(portal, User)
    form = {**PERSON, "password": "", **hidden(admin.get(f"{path}/new").text, path)}
    first, second = at_once(admin, path, form)
    again = admin.post(path, data=form)
    assert {shown(answer) for answer in (first, second, again)} == {shown(first)}
    hoa = authenticate(services, "hoa", shown(first))
    assert (count(portal, User) - people, deeds(portal, "user.created")) == (1, ["hoa"])

    taken = "hoa is taken. Choose another name."
    other = admin.post(path, data={**form, "display_name": "Lê Hoà"})
    assert said_at(other.text, "username") == taken, "who went back and changed something sent another form"
    with portal.city.services.reading() as session:
        person = session.get_one(User, hoa)
    assert person.display_name == PERSON["display_name"]
    theirs = Actor(hoa, "hoa", person.display_name, person.cluster_user, person.cluster_number)
    change_password(services, theirs, present=shown(first), new=THEIRS)
    late = admin.post(path, data=form)
    assert (late.status_code, said_at(late.text, "username")) == (422, taken)
    assert "data-password" not in late.text, "it is theirs no more"


def test_of_a_new_person_with_a_typed_password_there_is_one(portal: Portal, admin: httpx.Client) -> None:
    path = "/admin/people"
    form = {**PERSON, "password": THEIRS, **hidden(admin.get(f"{path}/new").text, path)}
    answers = at_once(admin, path, form)
    assert [(one.status_code, "data-password" in one.text) for one in answers] == [(200, False)] * 2
    assert deeds(portal, "user.created") == ["hoa"]
    authenticate(portal.city.services, "hoa", THEIRS)
    guess = admin.post(path, data={**form, **hidden(admin.get(f"{path}/new").text, path)})
    assert guess.status_code == 422, "another form does not tell whether a password is right"


def test_a_password_is_set_anew_once(portal: Portal, admin: httpx.Client) -> None:
    services, lead = portal.city.services, portal.city.chips.lead
    form = {"password": "", **hidden(admin.get(f"{LEAD}/access").text, f"{LEAD}/password")}
    first, second = at_once(admin, f"{LEAD}/password", form)
    again = admin.post(f"{LEAD}/password", data=form)
    assert {shown(answer) for answer in (first, second, again)} == {shown(first)}
    assert authenticate(services, "chips-lead", shown(first)) == lead.user_id
    assert (count(portal, Notice), deeds(portal, "user.password_set")) == (1, ["chips-lead"])

    change_password(services, lead, present=shown(first), new=THEIRS)
    for language, text in (
        ("en", "The password was changed meanwhile. If it is to be another one still, send the form again."),
        ("vi", "Mật khẩu đã được đổi trong lúc đó. Nếu vẫn muốn đặt mật khẩu khác, hãy gửi lại biểu mẫu."),
    ):
        admin.cookies.set("locale", language)
        late = admin.post(f"{LEAD}/password", data=form)
        assert (late.status_code, said_at(late.text, "password")) == (422, text)
    assert authenticate(services, "chips-lead", THEIRS) == lead.user_id, "F5 took nothing from them"
    new = admin.post(f"{LEAD}/password", data=hidden(late.text, f"{LEAD}/password"))
    assert authenticate(services, "chips-lead", shown(new)) == lead.user_id
    with pytest.raises(WrongCredentials):
        authenticate(services, "chips-lead", THEIRS)


def test_a_token_of_ones_own_is_made_once(portal: Portal) -> None:
    path = "/settings/tokens"
    with browser(portal, "here") as here, browser(portal, "there") as there:
        here.cookies.set("locale", "en")
        form = {"name": "laptop", "scope": "read", **hidden(here.get("/settings").text, path)}
        first, second = at_once(here, path, form)
        again = here.post(path, data=form)
        assert {shown(one, "token") for one in (first, second, again)} == {shown(first, "token")}
        assert (count(portal, ApiToken), deeds(portal, "token.issued")) == (1, ["laptop"])
        with httpx.Client(base_url=portal.url, timeout=60) as script:
            script.headers["authorization"] = f"Bearer {shown(first, 'token')}"
            assert script.get("/api/v1/me").status_code == 200
        other = here.post(path, data={**form, "name": "desk"})
        mine = hidden(there.get("/settings").text, path) | {"key": form["key"]}
        elsewhere = there.post(path, data={**form, **mine})
        known = {shown(one, "token") for one in (first, other, elsewhere)}
        assert len(known) == 3, "nobody makes it who knows the form alone"
        end_token(portal, shown(first, "token"))
        late = here.post(path, data=form)
    assert (late.status_code, "data-token" in late.text) == (422, False)
    assert "This token is over. Issue a new one." in late.text


def end_token(portal: Portal, secret: str) -> None:
    """It is good no more."""
    services = portal.city.services
    over = update(ApiToken).where(col(ApiToken.token_hash) == hash_secret(secret))
    over = over.values(revoked_at=services.clock.now())
    transact(services.engine, lambda connection: connection.execute(over))


def test_a_token_of_a_service_account_is_made_and_rotated_once(portal: Portal) -> None:
    page = "/projects/chips/service-accounts"
    with browser(portal, "here", who="lead") as here:
        new = {"name": "ci", "purpose": "nightly", "days": "90", "owners": "chips-lead"}
        here.post(page, data={**new, **hidden(here.get(page).text, page)})
        issue = f"{page}/ci%40chips/tokens"
        form = {"name": "GitLab", "scope": "jobs", "days": "30", **hidden(here.get(page).text, issue)}
        first, second = at_once(here, issue, form)
        assert shown(first, "token") == shown(second, "token") == shown(here.post(issue, data=form), "token")
        [rotate] = re.findall(r'action="([^"]+/rotate)"', here.get(page).text)
        form = {"overlap_hours": "0", **hidden(here.get(page).text, rotate)}
        newer, newest = at_once(here, rotate, form)
        last = here.post(rotate, data=form)
    assert shown(newer, "token") == shown(newest, "token") == shown(last, "token") != shown(first, "token")
    assert deeds(portal, "token.rotated") == ["ci@chips/GitLab"]
    with httpx.Client(base_url=portal.url, timeout=60) as script:
        for answer, status in ((first, 401), (newest, 200)):
            script.headers["authorization"] = f"Bearer {shown(answer, 'token')}"
            assert script.get("/api/v1/me").status_code == status


def test_a_webhooks_secret_is_the_one_that_is_shown(portal: Portal) -> None:
    path = "/settings/webhook"

    def stored() -> str:
        with portal.city.services.engine.connect() as connection:
            return str(connection.execute(select(col(Webhook.secret))).scalar_one())

    with browser(portal, "here") as here:
        form = {"url": "https://hooks.example.vn/hpc", **hidden(here.get("/settings").text, path)}
        for answer in (*at_once(here, path, form), here.post(path, data=form)):
            assert shown(answer, "secret") == stored()
        first = stored()
        form = {"deed": "secret", **hidden(here.get("/settings").text, path)}
        for answer in at_once(here, path, form):
            assert shown(answer, "secret") == stored() != first


def test_a_form_without_a_key_makes_another_secret_each_time(portal: Portal) -> None:
    with browser(portal, "here") as here:
        form = {"name": "laptop", **hidden(here.get("/settings").text, "/settings/tokens")}
        del form["key"]
        first, second = (shown(here.post("/settings/tokens", data=form), "token") for _ in range(2))
    assert first != second


def test_codes_on_paper_are_those_that_are_shown(portal: Portal) -> None:
    with browser(portal, "here") as here:
        offer = "/settings/second-factor/offer"
        offered = here.post(offer, data=hidden(here.get("/settings").text, offer))
        totp = pyotp.TOTP(shown(offered, "secret"))
        path = "/settings/second-factor/confirm"
        form = {"code": totp.at(portal.city.services.clock.now()), **hidden(offered.text, path)}
        first, second = at_once(here, path, form)
        again = here.post(path, data=form)
        assert len(papers(first)) == 10
        assert papers(first) == papers(second) == papers(again)
        other = here.post(path, data={**form, "key": "another"})
        assert papers(other) == [], "nobody is told them who has the code alone"

    use_code(portal.city.services, portal.city.chips.member.user_id, papers(first)[3])
    with pytest.raises(WrongCode):
        use_code(portal.city.services, portal.city.chips.member.user_id, papers(first)[3])


def papers(answer: httpx.Response) -> list[str]:
    """The codes on a page."""
    return re.findall(r"<li>([0-9a-f]{6}-[0-9a-f]{6})</li>", answer.text)
