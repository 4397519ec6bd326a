"""An OpenID Connect provider: what it says about itself, its keys, and tokens that it signed.

OpenID Connect Core, Discovery, RP-Initiated and Back-Channel Logout 1.0; RFC 7636 (PKCE), RFC 7519 (tokens).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hpc_portal.app.settings import IdentitySettings
from hpc_portal.auth.asked_once import AskedOnce

_KEPT_SECONDS = 3600.0
_AGAIN_SECONDS = 60.0
"""Keys are asked for again so often at most, however many tokens with unknown keys come."""
_TIMEOUT = httpx.Timeout(10)
_LARGEST_BYTES = 256 * 1024
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Signatures of a public key: never `none`, never one that the client's own secret makes."""
LEEWAY_SECONDS = 60
"""So far its clock and ours may be apart."""
_PROVES_NOTHING = (JoseError, ValueError, TypeError)
"""What joserfc raises for texts that are no token, or none of these keys."""
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_SECONDS = 120
"""A logout token without an end, as drafts of the specification had them, is good for so long."""
_LONGEST_SUBJECT = 255


def metadata_url(issuer: str) -> str:
    """Where it describes itself (Discovery 1.0, 4)."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


class IdentityProviderFailed(Exception):
    """The provider cannot be reached, or what it sent proves nothing; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is used of the provider's own description."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whom the provider signed out: one session of theirs, or all."""

    subject: str
    session: str


class IdentityProvider:
    """One provider, asked over one pool of connections; descriptions and keys are kept for an hour."""

    def __init__(self, settings: IdentitySettings) -> None:
        self.settings = settings
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        self._metadata = AskedOnce(self._discover, IdentityProviderFailed)
        self._keys = AskedOnce(self._read_keys, IdentityProviderFailed)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._metadata.close()
        await self._keys.close()
        await self._client.aclose()

    async def metadata(self) -> Metadata:
        """Its description.

        Raises:
            IdentityProviderFailed: it cannot be had, or is of another issuer.
        """
        return await self._metadata.get(at_most_seconds_old=_KEPT_SECONDS)

    async def authorization_url(self, *, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where to send a browser.

        Raises:
            IdentityProviderFailed: its description cannot be had.
        """
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(dict.fromkeys(["openid", *self.settings.scopes])),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return _with_query((await self.metadata()).authorization_endpoint, query)

    async def end_session_url(self, *, back: str) -> str:
        """Where a browser signs out over there (RP-Initiated Logout 1.0); "" where the provider has no such.

        It asks the person, for no ID token is kept to show it.

        Raises:
            IdentityProviderFailed: its description cannot be had.
        """
        endpoint = (await self.metadata()).end_session_endpoint
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return _with_query(endpoint, query) if endpoint else ""

    async def claims(self, *, code: str, back: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """What it says of the person who came back with this code; its own session's name as `sid`.

        Raises:
            IdentityProviderFailed: it refused the code, or its token is not for us, of now, of this sign-in.
        """
        metadata = await self.metadata()
        audience = self.settings.client_id
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
            "client_id": audience,
        }
        secret = self.settings.client_secret.get_secret_value()
        auth = httpx.BasicAuth(audience, secret) if secret else None
        answer = await self._ask("POST", metadata.token_endpoint, data=form, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise IdentityProviderFailed("the answer to the code has no id_token")
        claims = await self._verified(token, is_id_token=True)
        if claims.get("nonce") != nonce:
            raise IdentityProviderFailed("the id_token is of another sign-in")
        if claims["aud"] not in (audience, [audience]) and "azp" not in claims:
            raise IdentityProviderFailed("the id_token is for several and does not say who asked for it")
        if len(claims["sub"]) > _LONGEST_SUBJECT:
            raise IdentityProviderFailed("the id_token's subject is longer than any may be")
        return await self._with_userinfo(claims, str(answer.get("access_token", "")), metadata)

    async def logged_out(self, logout_token: str) -> LoggedOut:
        """Whom a logout token is about (Back-Channel Logout 1.0, 2.6).

        Raises:
            IdentityProviderFailed: it is none, or not for us.
        """
        claims = await self._verified(logout_token, is_id_token=False)
        events = claims.get("events")
        if not isinstance(events, dict) or _LOGOUT not in events or "nonce" in claims:
            raise IdentityProviderFailed("this is no logout token")
        if "exp" not in claims and claims["iat"] < time.time() - _LOGOUT_SECONDS - LEEWAY_SECONDS:
            raise IdentityProviderFailed("the logout token is old")
        session = claims.get("sid", "")
        found = LoggedOut(claims.get("sub", ""), session if isinstance(session, str) else "")
        if not (found.subject or found.session):
            raise IdentityProviderFailed("the logout token names nobody")
        return found

    async def _discover(self) -> Metadata:
        issuer = self.settings.issuer
        said = await self._ask("GET", metadata_url(issuer))
        if said.get("issuer") != issuer:
            raise IdentityProviderFailed(f"it says that it is {said.get('issuer')!r}, not {issuer!r}")
        try:
            return Metadata(**{name: str(said[name]) for name in Metadata.__slots__ if name in said})
        except TypeError as problem:
            raise IdentityProviderFailed(f"its description lacks something: {problem}") from problem

    async def _verified(self, token: str, *, is_id_token: bool) -> dict[str, Any]:
        """The claims of a token that it signed for us and that is of now; an ID token has subject and end."""
        try:
            claims = await self._decoded(token)
            audience = self.settings.client_id
            registry = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.settings.issuer},
                aud={"essential": True, "value": audience},
                iat={"essential": True},
                sub={"essential": is_id_token},
                exp={"essential": is_id_token},
            )
            registry.validate(claims)
        except _PROVES_NOTHING as problem:
            raise IdentityProviderFailed(f"its token proves nothing: {problem}") from problem
        if claims.get("azp", audience) != audience:
            raise IdentityProviderFailed("its token was issued to somebody else")
        return claims

    async def _decoded(self, token: str) -> dict[str, Any]:
        keys = await self._keys.get(at_most_seconds_old=_KEPT_SECONDS)
        try:
            return dict(jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)
        except _PROVES_NOTHING:  # perhaps of a key that is new
            keys = await self._keys.get(at_most_seconds_old=_AGAIN_SECONDS)
            return dict(jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)

    async def _read_keys(self) -> KeySet:
        said = await self._ask("GET", (await self.metadata()).jwks_uri)
        try:
            return KeySet.import_key_set(said)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as problem:
            raise IdentityProviderFailed(f"its keys cannot be read: {problem}") from problem

    async def _with_userinfo(
        self, claims: dict[str, Any], access_token: str, metadata: Metadata
    ) -> Mapping[str, Any]:
        """With what the token left out, from userinfo; the token's own word goes first."""
        if not metadata.userinfo_endpoint or not access_token:
            return claims
        headers = {"authorization": f"Bearer {access_token}"}
        said = await self._ask("GET", metadata.userinfo_endpoint, headers=headers)
        if said.get("sub") != claims.get("sub"):
            raise IdentityProviderFailed("userinfo speaks of somebody else")
        return {**said, **claims}

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's own
        try:
            answer = await self._client.request(method, url, **more)
        except httpx.HTTPError as problem:
            raise IdentityProviderFailed(f"{url}: {problem!r}") from problem
        if not answer.is_success or len(answer.content) > _LARGEST_BYTES:
            raise IdentityProviderFailed(f"{url} answers {answer.status_code}: {answer.text[:200]}")
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise IdentityProviderFailed(f"{url} does not answer with a JSON object")
        return said


def _with_query(endpoint: str, query: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"
