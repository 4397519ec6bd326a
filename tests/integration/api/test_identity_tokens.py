"""The identity provider's tokens: only its own word, for us and of now, opens or ends a session."""

from collections.abc import Callable

from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app.accounts.tables import ExternalIdentity
from hpc_portal.app.tables import BrowserSession, User
from hpc_portal.auth.identity_sessions import UNNAMED
from hpc_portal.auth.sessions import open_session
from tests.integration.api.conftest import Portal
from tests.integration.api.own_provider import (
    CLIENT,
    LOGOUT_EVENT,
    Claims,
    OwnProvider,
    begin,
    city,
    come_back,
    provider,
    sign_by_hand,
)

__all__ = ["city", "provider"]


def attempt(portal: Portal, provider: OwnProvider, token_of: Callable[[str], str]) -> int:
    """One sign-in with the token that is made for its nonce; the portal's answer."""
    with portal.client(accept="text/html") as browser:
        sent = begin(browser)
        provider.token = token_of(sent["nonce"])
        return come_back(browser, sent["state"]).status_code


def rows(portal: Portal) -> tuple[int, int, int]:
    """Browser sessions, identities, people."""
    with portal.city.services.engine.connect() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (BrowserSession, ExternalIdentity, User)
        ]
    return counts[0], counts[1], counts[2]


def test_only_a_good_token_signs_somebody_in(portal: Portal, provider: OwnProvider) -> None:
    def changed(**changes: object) -> Callable[[str], str]:
        return lambda nonce: provider.sign(provider.claims(**({"nonce": nonce} | changes)))

    def by_foreigner(header: Claims) -> Callable[[str], str]:
        return lambda nonce: jwt.encode(header, provider.claims(nonce=nonce), foreign)

    def by_hand(header: Claims, secret: bytes) -> Callable[[str], str]:
        return lambda nonce: sign_by_hand(provider.claims(nonce=nonce), header, secret)

    foreign = RSAKey.generate_key(2048)
    public = provider.key.as_pem(private=False)
    now = provider.claims()["iat"]
    bad = {
        "of another sign-in": changed(nonce="another"),
        "of no sign-in": changed(nonce=None),
        "for another client": changed(aud="another"),
        "for another client of several": changed(aud=["another", "a third"]),
        "for nobody": changed(aud=None),
        "of another issuer": changed(iss="https://id.example.org"),
        "of no issuer": changed(iss=None),
        "asked for by another client": changed(aud=[CLIENT, "another"], azp="another"),
        "for several, asked for by nobody": changed(aud=[CLIENT, "another"]),
        "for us, asked for by another client": changed(azp="another"),
        "of yesterday": changed(iat=now - 86_700, exp=now - 86_400),
        "without an end": changed(exp=None),
        "of tomorrow": changed(iat=now + 86_400, exp=now + 86_700),
        "of no time": changed(iat=None),
        "of nobody": changed(sub=None),
        "of an empty subject": changed(sub=""),
        "of a subject that is none": changed(sub=["s1"]),
        "of too long a subject": changed(sub="s" * 256),
        "of a foreign key with our key's name": by_foreigner({"alg": "RS256", "kid": "ours"}),
        "of a foreign key without a name": by_foreigner({"alg": "RS256"}),
        "signed by nothing": by_hand({"alg": "none"}, b""),
        "signed with the public key as a secret": by_hand({"alg": "HS256", "kid": "ours"}, public),
        "no token": lambda _nonce: "a.b.c",
        "odd": by_hand({"alg": "RS256", "kid": "ours", "crit": 5}, b"secret"),
        "changed afterwards": lambda nonce: tampered(provider, nonce),
    }
    before = rows(portal)

    answers = {name: attempt(portal, provider, token_of) for name, token_of in bad.items()}

    assert answers == dict.fromkeys(bad, 422)
    assert rows(portal) == before, "nobody came in, and nobody was made"
    assert attempt(portal, provider, changed(aud=[CLIENT, "another"], azp=CLIENT)) == 303
    assert rows(portal) == tuple(count + 1 for count in before)


def tampered(provider: OwnProvider, nonce: str) -> str:
    """The signature of one token under the words of another."""
    head, _, signature = provider.sign(provider.claims(nonce=nonce)).split(".")
    _, words, _ = provider.sign(provider.claims(nonce=nonce, sub="an administrator")).split(".")
    return f"{head}.{words}.{signature}"


def enter(portal: Portal, provider: OwnProvider, subject: str, sid: object) -> None:
    """Another browser in which this person is signed in."""
    answer = attempt(
        portal, provider, lambda nonce: provider.sign(provider.claims(nonce=nonce, sub=subject, sid=sid))
    )
    assert answer == 303


def left(portal: Portal, provider: OwnProvider) -> set[tuple[str, str]]:
    """Who is still signed in, by subject and mark."""
    with portal.city.services.engine.connect() as connection:
        found = connection.execute(
            select(col(ExternalIdentity.subject), col(BrowserSession.identity_session))
            .join(BrowserSession, col(BrowserSession.user_id) == col(ExternalIdentity.user_id))
            .where(col(ExternalIdentity.issuer) == provider.issuer)
        )
        return {(row.subject, row.identity_session) for row in found}


def log_out(portal: Portal, token: str) -> int:
    with portal.client() as machine:
        return machine.post("/sign-in/identity/logout", data={"logout_token": token}).status_code


def test_who_is_logged_out_there_is_logged_out_here_whatever_the_token_names(
    portal: Portal, provider: OwnProvider
) -> None:
    """Back-Channel Logout 1.0, 2.4: it names a person, a session, or both; `sid` is optional."""

    def ends(**who: str) -> set[tuple[str, str]]:
        for subject in ("hoa", "nam"):
            for sid in ("one", "two", None):
                enter(portal, provider, subject, f"{subject} {sid}" if sid else None)
        before = left(portal, provider)
        assert log_out(portal, provider.logout(**who)) == 200
        return before - left(portal, provider)

    hers = {("hoa", "hoa one"), ("hoa", "hoa two"), ("hoa", UNNAMED)}
    assert ends(sub="hoa") == hers
    assert ends(sid="hoa one") == {("hoa", "hoa one")}
    assert ends(sub="hoa", sid="hoa two") == {("hoa", "hoa two"), ("hoa", UNNAMED)}, "it may be the one"
    assert ends(sub="nam", sid="hoa one") == {("nam", UNNAMED)}, "nobody else's"
    assert ends(sub="somebody") == ends(sid="somebody's") == set()


def test_names_of_sessions_that_do_not_fit_are_found_again(portal: Portal, provider: OwnProvider) -> None:
    for sid in ("s" * 1000, "a\0b", UNNAMED):
        enter(portal, provider, "hoa", sid)
        enter(portal, provider, "nam", None)
        assert log_out(portal, provider.logout(sid=sid)) == 200
        assert {subject for subject, _ in left(portal, provider)} == {"nam"}, repr(sid[:5])


def test_a_session_that_a_password_opened_goes_on(portal: Portal, provider: OwnProvider) -> None:
    enter(portal, provider, "hoa", "one")
    services = portal.city.services
    with services.engine.connect() as connection:
        owner = connection.execute(
            select(col(ExternalIdentity.user_id)).where(col(ExternalIdentity.subject) == "hoa")
        ).scalar_one()
    open_session(services, owner)
    assert log_out(portal, provider.logout(sub="hoa")) == 200
    assert left(portal, provider) == {("hoa", "")}


def test_only_a_good_logout_token_ends_sessions(portal: Portal, provider: OwnProvider) -> None:
    enter(portal, provider, "hoa", "one")
    now = provider.claims()["iat"]
    bad = {
        "an ID token": provider.sign(provider.claims(sub="hoa", nonce="n")),
        "with a nonce": provider.logout(sub="hoa", nonce="n"),
        "of another event": provider.logout(sub="hoa", events={"another": {}}),
        "of no event": provider.logout(sub="hoa", events=None),
        "for another client": provider.logout(sub="hoa", aud="another"),
        "of another issuer": provider.logout(sub="hoa", iss="https://id.example.org"),
        "over": provider.logout(sub="hoa", iat=now - 500, exp=now - 300),
        "old, without an end": provider.logout(sub="hoa", iat=now - 500, exp=None),
        "of nobody": provider.logout(),
        "of an odd session": provider.logout(sid=["one"]),
        "signed by nothing": sign_by_hand(
            provider.claims(sub="hoa", events={LOGOUT_EVENT: {}}), {"alg": "none"}, b""
        ),
        "odd": sign_by_hand(provider.claims(), {"alg": "RS256", "crit": 5}, b"secret"),
    }
    assert {name: log_out(portal, token) for name, token in bad.items()} == dict.fromkeys(bad, 400)
    assert left(portal, provider) == {("hoa", "one")}
    assert log_out(portal, provider.logout(sub="hoa", exp=None)) == 200, "as drafts had them"
    assert left(portal, provider) == set()
