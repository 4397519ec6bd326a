"""An OpenID Connect provider with a key of the tests: its tokens say whatever a test wants them to."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.settings import IdentitySettings
from tests.small_city import City, build_city

CLIENT = "hpc-portal"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
Claims = dict[str, Any]


@dataclass
class OwnProvider:
    """What it signs with, and which token it hands out for the next code."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "ours", "alg": "RS256"}))
    token: str = ""
    end_session: str = ""
    """Where browsers sign out over there, after its own address; "": nowhere."""

    def claims(self, **changes: Any) -> Claims:  # noqa: ANN401 - as claims are
        """Those of a good token of now; None takes one away."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": CLIENT, "sub": "s1", "iat": now, "exp": now + 300}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def logout(self, **changes: Any) -> str:  # noqa: ANN401 - as claims are
        """A logout token (Back-Channel Logout 1.0, 2.4); it is for whom the changes name."""
        plain: Claims = {"sub": None, "jti": "once", "events": {LOGOUT_EVENT: {}}}
        return self.sign(self.claims(**(plain | changes)))

    def sign(self, claims: Claims) -> str:
        """As it signs."""
        return jwt.encode({"alg": "RS256", "kid": "ours"}, claims, self.key)

    def says(self, path: str) -> Mapping[str, Any]:
        """Its answers."""
        answers: Mapping[str, Mapping[str, Any]] = {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **({"end_session_endpoint": self.issuer + self.end_session} if self.end_session else {}),
            },
            "/keys": KeySet([self.key]).as_dict(private=False),
            "/token": {"access_token": "unused", "token_type": "Bearer", "id_token": self.token},
        }
        return answers[path]


def sign_by_hand(claims: Claims, header: Claims, secret: bytes) -> str:
    """As no library does it: HMAC under whatever is taken for a secret; no signature with none."""
    parts = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{parts}.{_encoded(hmac.digest(secret, parts.encode(), 'sha256')) if secret else ''}"


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@contextmanager
def running_provider() -> Iterator[OwnProvider]:
    """On a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.dumps(found.says(self.path)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - http.server's
            """Tests need no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = OwnProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def begin(browser: httpx.Client) -> dict[str, str]:
    """Leave for the provider; what the portal sent along, such as `state` and `nonce`."""
    left = browser.get("/sign-in/identity")
    assert left.status_code == 303, left.text
    return {name: value for name, [value] in parse_qs(urlsplit(left.headers["location"]).query).items()}


def come_back(browser: httpx.Client, state: str) -> httpx.Response:
    """The provider sends the browser back with a code."""
    return browser.get("/sign-in/identity/back", params={"state": state, "code": "a code"})


@pytest.fixture
def provider() -> Iterator[OwnProvider]:
    with running_provider() as found:
        yield found


@pytest.fixture
def city(database_url: str, tmp_path: Path, provider: OwnProvider) -> Iterator[City]:
    """A city that trusts this provider; beside `provider`, for whoever imports both."""
    plain = build_city(database_url, tmp_path, clock=SystemClock())
    identity = IdentitySettings(issuer=provider.issuer, client_id=CLIENT)
    settings = plain.services.settings.model_copy(update={"identity": identity})
    yield replace(plain, services=replace(plain.services, settings=settings))
    plain.services.commits.close()
    plain.services.engine.dispose()
