"""Who is asking: tokens, sessions, cookies, and requests that other sites forge."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.db import transact
from hpc_portal.app.tables import ApiToken, BrowserSession, User
from hpc_portal.web.assets import Assets
from schedulers.memory import ManualClock
from tests.integration.api.conftest import Portal, serving
from tests.small_city import City

PASSWORD = "correct horse battery"


@pytest.fixture
def with_password(portal: Portal) -> Portal:
    reset_password(portal.city.services, OPERATOR, username="chips-member", new=PASSWORD)
    return portal


def token_row(portal: Portal, name: str) -> ApiToken:
    with portal.city.services.reading() as session:
        return session.exec(select(ApiToken).where(col(ApiToken.name) == name)).one()


def test_a_password_buys_a_token_that_works_until_it_is_revoked(with_password: Portal) -> None:
    body = {"username": "chips-member", "password": PASSWORD, "name": "laptop"}
    with with_password.client() as client:
        made = client.post("/api/v1/tokens/sign-in", json=body)
        assert made.status_code == 201
        client.headers["authorization"] = f"Bearer {made.json()['token']}"
        assert client.get("/api/v1/me").json()["username"] == "chips-member"
        assert token_row(with_password, "laptop").last_used_at is not None
        assert made.json()["token"] not in client.get("/api/v1/tokens").text

        assert client.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204
        refused = client.get("/api/v1/me")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_wrong_names_and_wrong_passwords_get_the_same_answer(with_password: Portal) -> None:
    with with_password.client() as client:
        replies = [
            client.post("/api/v1/tokens/sign-in", json={"username": name, "password": password})
            for name, password in (("chips-member", "wrong"), ("nobody", PASSWORD), ("chips-lead", ""))
        ]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.json()["detail"] for reply in replies}) == 1


def test_guessing_is_slowed_down(city: City) -> None:
    """However long each answer takes: time stands still."""
    reset_password(city.services, OPERATOR, username="chips-member", new=PASSWORD)
    body = {"username": "chips-member", "password": "guess"}
    stopped = replace(city, services=replace(city.services, clock=ManualClock(datetime.now(UTC))))
    with serving(stopped) as portal, portal.client() as client:
        statuses = [client.post("/api/v1/tokens/sign-in", json=body).status_code for _ in range(5)]
        reply = client.post("/api/v1/tokens/sign-in", json={**body, "password": PASSWORD})
    assert statuses == [401] * 5
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) >= 1


ODD_HEADERS = ("Bearer", "Bearer hpc_wrong", "Basic bGFuOnB3", "hpc_wrong", "Bearer é", "Bearer a b")


def test_no_odd_authorization_is_let_in(portal: Portal) -> None:
    with portal.client() as client:
        for header in ODD_HEADERS:
            reply = client.get("/api/v1/me", headers=[(b"authorization", header.encode())])
            assert (header, reply.status_code) == (header, 401)


def test_an_expired_token_and_an_inactive_person_are_strangers(portal: Portal) -> None:
    services, member = portal.city.services, portal.city.chips.member
    past = datetime.now(UTC) - timedelta(seconds=1)
    with portal.client(member) as client:
        transact(
            services.engine, lambda connection: connection.execute(update(ApiToken).values(expires_at=past))
        )
        assert client.get("/api/v1/me").status_code == 401
    with portal.client(member) as client:
        transact(
            services.engine,
            lambda connection: connection.execute(
                update(User).where(col(User.id) == member.user_id).values(is_active=False)
            ),
        )
        assert client.get("/api/v1/me").status_code == 401


def sign_in(client: httpx.Client) -> httpx.Response:
    return client.post("/sign-in", data={"username": "chips-member", "password": PASSWORD})


def test_a_browser_signs_in_and_out(with_password: Portal) -> None:
    with with_password.client(accept="text/html") as client:
        reply = sign_in(client)
        cookie = reply.headers["set-cookie"]
        assert reply.status_code == 303
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        page = client.get("/settings")
        assert page.status_code == 200
        token = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
        assert token
        secret = client.cookies["hpc_session"]

        assert client.post("/sign-out", data={"csrf_token": token[1]}).status_code == 303
        client.cookies.set("hpc_session", secret)
        assert client.get("/settings").headers["location"].startswith("/sign-in")
    with with_password.city.services.reading() as session:
        assert session.exec(select(BrowserSession)).all() == []


def test_a_session_ends_by_itself(with_password: Portal) -> None:
    with with_password.client(accept="text/html") as client:
        sign_in(client)
        past = datetime.now(UTC) - timedelta(seconds=1)
        transact(
            with_password.city.services.engine,
            lambda connection: connection.execute(update(BrowserSession).values(expires_at=past)),
        )
        assert client.get("/settings").headers["location"].startswith("/sign-in")


def test_requests_that_other_sites_forge_are_refused(with_password: Portal) -> None:
    url = "/api/v1/tokens"
    body = {"name": "forged"}
    with with_password.client(accept="text/html") as client:
        sign_in(client)
        page = client.get("/settings").text
        again = client.get("/settings").text
        tokens = [re.findall(r'name="csrf-token" content="([^"]+)"', text)[0] for text in (page, again)]
        good = {"X-CSRF-Token": tokens[0]}
        assert tokens[0] != tokens[1], "each page masks its token anew"

        refused = [
            {},
            {"X-CSRF-Token": ""},
            {"X-CSRF-Token": "x" * 88},
            {"X-CSRF-Token": "é"},
            {**good, "Sec-Fetch-Site": "cross-site"},
            {**good, "Sec-Fetch-Site": "same-site"},
            {**good, "Origin": "https://evil.example"},
            {**good, "Origin": "null"},
        ]
        for headers in refused:
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            assert (headers, client.post(url, json=body, headers=raw).status_code) == (headers, 403)
        same_origin = {**good, "Sec-Fetch-Site": "same-origin", "Origin": with_password.url}
        assert client.post(url, json=body, headers=same_origin).status_code == 201
        assert client.post(url, json=body, headers={"X-CSRF-Token": tokens[1]}).status_code == 201

        bearer = {"Authorization": "Bearer hpc_wrong", "Origin": "https://evil.example"}
        assert client.post(url, json=body, headers=bearer).status_code == 401, "the cookie does not help"


def test_signing_somebody_in_from_another_site_is_refused(with_password: Portal) -> None:
    with with_password.client() as client:
        client.headers["Sec-Fetch-Site"] = "cross-site"
        reply = sign_in(client)
    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
"""Nothing inline, nothing from elsewhere, no frames."""


@pytest.mark.parametrize("public_url", ["", "https://hpc.example.vn"])
def test_every_answer_carries_the_security_headers(city: City, public_url: str) -> None:
    https = {"strict-transport-security": "max-age=31536000"} if public_url else {}
    with serving(city, public_url=public_url) as portal, portal.client() as client:
        for path in ("/sign-in", "/api/v1/me", "/api/openapi.json", "/nowhere", "/api/v1/nowhere"):
            headers = client.get(path).headers
            assert SECURITY_HEADERS | https == {
                name: headers.get(name) for name in (*SECURITY_HEADERS, *https)
            }, path
            assert set(headers["content-security-policy"].split("; ")) == POLICY, path
            assert ("strict-transport-security" in headers) is bool(public_url), path
            assert len(headers["x-request-id"]) == 16


def test_files_that_are_no_documents_carry_only_what_concerns_them(portal: Portal) -> None:
    assets = Assets()
    with portal.client() as client:
        for name in ("app.css", "js/app.js", "vendor/tabler.css", "favicon.svg"):
            reply = client.get(assets.url(name))
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["cross-origin-resource-policy"] == "same-origin"
            is_document = name.endswith(".svg")  # opened as such, it could run scripts
            assert ("content-security-policy" in reply.headers) is is_document
