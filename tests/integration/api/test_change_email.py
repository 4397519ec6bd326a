"""Another e-mail address or password of one's own: proved by the present one, and all others signed out."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.db import transact
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.settings import SmtpSettings
from hpc_portal.app.tables import BrowserSession, User
from schedulers.units import CITY_TIME
from tests.integration.api.conftest import Portal
from tests.integration.api.test_sessions import browser

PASSWORD = "a long enough password"
NEW, OLD = "an.moi@example.vn", "an@example.vn"


@pytest.fixture
def member(portal: Portal) -> Portal:
    """The member has a password and an address."""
    reset_password(portal.city.services, OPERATOR, username="chips-member", new=PASSWORD)
    write(portal, email=OLD)
    return portal


def write(portal: Portal, **values: object) -> None:
    mine = update(User).where(col(User.id) == portal.city.chips.member.user_id)
    transact(portal.city.services.engine, lambda connection: connection.execute(mine.values(**values)))


def email_of(portal: Portal) -> str:
    with portal.city.services.engine.connect() as connection:
        mine = select(col(User.email)).where(col(User.id) == portal.city.chips.member.user_id)
        return str(connection.execute(mine).scalar_one())


def mails(portal: Portal) -> list[Any]:
    with portal.city.services.engine.connect() as connection:
        return list(connection.execute(select(Mail).order_by(col(Mail.created_at))))


def actions(portal: Portal) -> list[str]:
    with portal.city.services.engine.connect() as connection:
        found = select(col(AuditRecord.action)).where(col(AuditRecord.action).startswith("user.email"))
        return list(connection.execute(found.order_by(col(AuditRecord.sequence))).scalars())


def ask(client: httpx.Client, email: str = NEW, password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/v1/me/email", json={"email": email, "password": password})


def post(client: httpx.Client, path: str, **form: str) -> httpx.Response:
    token = client.get("/settings").text.split('name="csrf-token" content="')[1].split('"')[0]
    return client.post(path, data={"csrf_token": token, **form})


def test_without_mail_a_new_address_counts_at_once_for_who_knows_the_password(member: Portal) -> None:
    with browser(member, "here") as here, browser(member, "phone") as phone:
        wrong = post(here, "/settings/email", email=NEW, present="guess")
        no_address = post(here, "/settings/email", email="an at example", present=PASSWORD)
        assert (wrong.status_code, no_address.status_code, email_of(member)) == (422, 422, OLD)
        assert phone.get("/settings").status_code == 200
        assert post(here, "/settings/email", email=NEW, present=PASSWORD).status_code == 303
        assert (email_of(member), actions(member)) == (NEW, ["user.email_changed"])
        assert [one.get("/settings").status_code for one in (here, phone)] == [200, 401]


def test_with_mail_the_new_address_counts_once_its_reader_confirms_it(member: Portal) -> None:
    member.city.services.settings.smtp = SmtpSettings(host="localhost", sender="hpc@example.vn")
    with member.client(member.city.chips.member) as client, browser(member, "here") as here:
        assert ask(client).json() == {"is_changed": False}
        (sent,) = mails(member)
        assert (sent.address, sent.kind, email_of(member)) == (NEW, "email.to_confirm", OLD)
        assert ask(client, "other@example.vn").status_code == 422, "a moment ago"
        assert NEW in here.get("/settings").text
        secret = sent.facts["link"].rpartition("/")[2]
        with member.client(member.city.chips.lead) as lead:
            assert lead.post("/api/v1/me/email/confirm", json={"secret": secret}).status_code == 404
        assert here.get(f"/settings/email/{secret}").status_code == 200
        assert email_of(member) == OLD, "who only looks has confirmed nothing"
        assert post(here, f"/settings/email/{secret}").status_code == 303
        assert email_of(member) == NEW
        assert here.get("/settings").status_code == 200
        assert client.post("/api/v1/me/email/confirm", json={"secret": secret}).status_code == 404
    assert [(mail.address, mail.kind) for mail in mails(member)][1:] == [(OLD, "email.changed")]
    assert actions(member) == ["user.email_asked", "user.email_changed"]


def test_who_has_no_password_has_to_have_signed_in_lately(member: Portal) -> None:
    write(member, password_hash="")
    with member.client(member.city.chips.member) as client, browser(member, "here") as here:
        assert ask(client, password="").status_code == 422, "a token is no sign-in"
        long_ago = member.city.services.clock.now().astimezone(CITY_TIME).replace(year=2025)
        with member.city.services.engine.begin() as connection:
            begun = connection.execute(select(col(BrowserSession.created_at))).scalar_one()
            connection.execute(update(BrowserSession).values(created_at=long_ago))
        assert post(here, "/settings/email", email=NEW).status_code == 422
        with member.city.services.engine.begin() as connection:
            connection.execute(update(BrowserSession).values(created_at=begun))
        assert post(here, "/settings/email", email=NEW).status_code == 303
        assert email_of(member) == NEW


def test_a_password_is_changed_on_the_page_and_signs_the_other_browsers_out(member: Portal) -> None:
    with browser(member, "here") as here, browser(member, "phone") as phone:
        new = "another long password"
        form = {"present": PASSWORD, "new": new, "again": new}
        refused = (
            {**form, "present": "guess"},
            {**form, "again": "else"},
            {**form, "new": "x", "again": "x"},
        )
        for wrong in refused:
            assert post(here, "/settings/password", **wrong).status_code == 422
        assert post(here, "/settings/password", **form).status_code == 303
        assert [one.get("/settings").status_code for one in (here, phone)] == [200, 401]
    with member.client() as stranger:
        body = {"username": "chips-member", "password": new, "name": "laptop"}
        assert stranger.post("/api/v1/tokens/sign-in", json=body).status_code == 201


def test_a_stolen_session_cannot_guess_the_password(member: Portal) -> None:
    with member.client(member.city.chips.member) as thief:
        found = [ask(thief, password=f"guess {number}").status_code for number in range(8)]
    assert found[0] == 422
    assert found[-1] == 429
    assert email_of(member) == OLD
