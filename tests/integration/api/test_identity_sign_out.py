"""Where a sign-out leads that ends a session of the identity provider's, and one that does not."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hpc_portal.app.accounts.change_settings import reset_password
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.settings import IdentitySettings
from tests.integration.api.conftest import Portal, serving
from tests.integration.api.own_provider import CLIENT, OwnProvider, begin, city, come_back, provider

__all__ = ["city", "provider"]

PASSWORD = "correct horse battery"


def sign_out(browser: httpx.Client) -> str:
    """Where it leads."""
    page = browser.get("/settings").text
    token = re.findall(r'name="csrf-token" content="([^"]+)"', page)[0]
    answer = browser.post("/sign-out", data={"csrf_token": token})
    assert answer.status_code == 303
    return answer.headers["location"]


def sign_in(browser: httpx.Client, provider: OwnProvider) -> None:
    sent = begin(browser)
    provider.token = provider.sign(provider.claims(nonce=sent["nonce"]))
    assert come_back(browser, sent["state"]).status_code == 303


@pytest.mark.parametrize("endpoint", ["/end", "/end?realm=city"])
def test_who_leaves_is_offered_to_leave_the_provider_too(
    portal: Portal, provider: OwnProvider, endpoint: str
) -> None:
    provider.end_session = endpoint
    with portal.client(accept="text/html") as browser:
        sign_in(browser, provider)
        page = browser.get(sign_out(browser)).text
    [link] = re.findall(rf'href="({re.escape(provider.issuer)}/end[^"]+)"', page)
    query = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
    ours = {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{portal.url}/sign-in"]}
    assert query == ours | ({"realm": ["city"]} if "?" in endpoint else {})


def test_where_there_is_nothing_to_leave_the_form_alone_is_shown(
    portal: Portal, provider: OwnProvider
) -> None:
    with portal.client(accept="text/html") as browser:
        sign_in(browser, provider)
        form = browser.get(sign_out(browser))
    assert form.status_code == 200
    assert "post_logout_redirect_uri" not in form.text, "this provider has no such page"
    provider.end_session = "/end"
    reset_password(portal.city.services, OPERATOR, username="chips-member", new=PASSWORD)
    with portal.client(accept="text/html") as browser:
        browser.post("/sign-in", data={"username": "chips-member", "password": PASSWORD})
        assert sign_out(browser) == "/sign-in", "a password opened it"


def test_a_provider_out_of_reach_keeps_nobody_from_signing_out(portal: Portal, provider: OwnProvider) -> None:
    with portal.client(accept="text/html") as browser:
        sign_in(browser, provider)
        away = IdentitySettings(issuer="http://127.0.0.1:1", client_id=CLIENT)
        with (
            serving(portal.city, identity=away) as later,
            later.client(accept="text/html") as same,
        ):
            same.cookies = browser.cookies
            assert same.get(sign_out(same)).status_code == 200
            assert same.get("/settings").headers["location"].startswith("/sign-in")


def test_a_provider_that_never_answers_is_asked_once_and_hardly_waited_for(portal: Portal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        lost = IdentitySettings(issuer=f"http://127.0.0.1:{silent.getsockname()[1]}", client_id=CLIENT)
        with (
            serving(portal.city, identity=lost) as later,
            later.client(accept="text/html") as browser,
            ThreadPoolExecutor(5) as pool,
        ):
            began = time.monotonic()
            forms = list(pool.map(browser.get, ["/sign-in?left=identity"] * 5))
            took = time.monotonic() - began
        assert [form.status_code for form in forms] == [200] * 5
        assert took < 8, "it is given up after 10 s only, by whoever signs in there"
        with silent.accept()[0], pytest.raises(BlockingIOError):
            silent.accept()
